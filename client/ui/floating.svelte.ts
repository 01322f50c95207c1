/**
 * The small window that stays on top of other programs: the browser's picture-in-picture of one <video> of this page. What is in it is
 * FloatingPicture.svelte's business.
 */

/** Firefox has a button of its own on each picture, and nothing that a page could press. */
export const canFloat = (): boolean =>
  document.pictureInPictureEnabled === true && 'requestPictureInPicture' in HTMLVideoElement.prototype;

/** A picture that is there comes at once; browsers forget the press after some seconds. */
const PICTURE_MS = 2_000;

export class Floating {
  #at = $state<'off' | 'opening' | 'on'>('off');
  #refused = $state(false);
  #video: HTMLVideoElement | null = null;

  get at(): 'off' | 'opening' | 'on' {
    return this.#at;
  }
  /** The browser did not open it. */
  get refused(): boolean {
    return this.#refused;
  }
  dismiss(): void {
    this.#refused = false;
  }

  /** For the element that is shown. */
  readonly shows = (video: HTMLVideoElement): (() => void) => {
    this.#video = video;
    const left = (): void => {
      this.#at = 'off';
    };
    video.addEventListener('leavepictureinpicture', left);
    return () => {
      video.removeEventListener('leavepictureinpicture', left);
      leave(video);
      this.#video = null;
      this.#at = 'off';
    };
  };

  /** @param open  by a press: browsers open no window without one */
  async set(open: boolean): Promise<void> {
    const video = this.#video;
    if (!video || open !== (this.#at === 'off')) return;
    if (!open) return leave(video);
    this.#at = 'opening';
    this.#refused = false;
    try {
      await pictured(video);
      await video.requestPictureInPicture();
      // The meeting, and the element with it, may have ended while the browser thought about it.
      if (this.#video !== video) return leave(video);
      this.#at = 'on';
    } catch {
      if (this.#video !== video) return;
      this.#at = 'off';
      this.#refused = true;
    }
  }
}

function leave(video: HTMLVideoElement): void {
  // It has gone by itself: nothing to end.
  if (document.pictureInPictureElement === video) document.exitPictureInPicture().catch(() => {});
}

/** A window has a shape: there is none before the first picture. */
function pictured(video: HTMLVideoElement): Promise<void> {
  if (video.readyState >= video.HAVE_METADATA) return Promise.resolve();
  return new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error('no picture')), PICTURE_MS);
    video.addEventListener('loadedmetadata', () => resolve(), { once: true });
  });
}
