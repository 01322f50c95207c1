import { LocalBus } from '../../signal/bus/local.ts';
import { busContract } from './bus.contract.ts';

busContract('local', async () => {
  const errors: unknown[] = [];
  return { bus: new LocalBus((error) => errors.push(error)), errors };
});
