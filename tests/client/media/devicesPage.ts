/** The page side of the device tests: the façade itself, and what it says. */
import { createDevicesFacade, type DeviceEvent, type Devices } from '../../../client/media/devices.svelte.ts';

export const devices: Devices = createDevicesFacade();
export const events: DeviceEvent[] = [];
devices.onEvent((event) => events.push(event));

const button = document.createElement('button');
button.textContent = 'Share';
button.onclick = () => void devices.share().then((done) => (document.title = `shared ${done}`));
document.body.append(button);

export async function until(what: () => boolean, ms = 4000): Promise<boolean> {
  const end = performance.now() + ms;
  while (performance.now() < end && !what()) await new Promise((resolve) => setTimeout(resolve, 30));
  return what();
}

/** Plain copies of the slots, for the test to look at. */
export const look = () => ({
  camera: { ...devices.camera },
  microphone: { ...devices.microphone },
  preview: devices.preview?.readyState ?? null,
  sending: { camera: devices.track('camera') !== null, microphone: devices.track('microphone') !== null },
});

Object.assign(globalThis, { page: { devices, events, until, look } });
