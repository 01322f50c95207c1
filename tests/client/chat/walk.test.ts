/** A thousand random walks, half of them here and half in walkOn.test.ts. `PARLEY_SOAK` tries many more; a failure names its seed. */
import { walks } from './walks.ts';

walks(1, process.env['PARLEY_SOAK'] ? 10_000 : 500);
