/** What there is to see of a meeting in one picture: a shared screen, else who has the floor. Pure. */
import type { ScreenShareView, TileView } from '../meeting/view.ts';

/** A tile shows its camera: there is one, and it is known to be theirs. */
export function showsCamera({ camera, cameraOn, state }: TileView): boolean {
  switch (state.at) {
    case 'joining':
    case 'connecting':
    case 'securing':
    case 'unsafe':
      return false;
    case 'connected':
    case 'poor':
    case 'reconnecting':
    case 'frozen':
      return camera !== null && cameraOn;
  }
}

export type Picture =
  | { kind: 'screen' | 'camera'; peer: TileView['peer']; track: MediaStreamTrack }
  | { kind: 'name'; peer: TileView['peer']; tile: TileView };

/** @param active  who speaks, or spoke last: oneself where nobody else is there */
export function onePicture(screens: readonly ScreenShareView[], active: TileView): Picture {
  // One's own screen would be a hall of mirrors.
  const screen = screens.find(({ self }) => !self);
  if (screen) return { kind: 'screen', peer: screen.peer, track: screen.video };
  const { peer, camera } = active;
  if (camera && showsCamera(active)) return { kind: 'camera', peer, track: camera };
  return { kind: 'name', peer, tile: active };
}
