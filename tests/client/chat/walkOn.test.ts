/** The other half of the random walks (walk.test.ts): the two run beside each other. */
import { walks } from './walks.ts';

walks(10_001, process.env['PARLEY_SOAK'] ? 10_000 : 500);
