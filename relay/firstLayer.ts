/**
 * mediasoup (3.27) chooses a layer by its bit rate, and what has just begun has none yet: who asked for a picture before its first
 * packet gets none until mediasoup looks again, after a second. Another wish and back makes it look at once.
 */
import type { types } from 'mediasoup';
import type { Layer } from '../signal/protocol/model.ts';

const LOOK_MS = 80;
/** By then it has looked by itself. */
const LOOKS = 15;

/** @param wanted the layer that is asked for by now */
export async function hurryFirstLayer(consumer: types.Consumer, wanted: () => Layer): Promise<void> {
  for (let look = 0; look < LOOKS; look++) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    if (consumer.closed || consumer.paused || consumer.currentLayers) return;
    const dump = await consumer.dump();
    // Chosen, and waits for a key frame.
    if ('targetSpatialLayer' in dump && dump.targetSpatialLayer >= 0) return;
    const layer = wanted();
    await consumer.setPreferredLayers({ spatialLayer: layer === 0 ? 1 : layer - 1 });
    await consumer.setPreferredLayers({ spatialLayer: wanted() });
  }
}
