/** Keeps the screen on during a meeting, where the browser can. */

/** Asks now and whenever the page is shown again, since the system takes the lock away from hidden pages. @returns how to stop */
export function keepAwake(): () => void {
  if (!('wakeLock' in navigator)) return () => {};
  let lock: WakeLockSentinel | null = null;
  let isOver = false;

  const ask = async (): Promise<void> => {
    if (document.visibilityState !== 'visible') return;
    try {
      const got = await navigator.wakeLock.request('screen');
      if (isOver) await got.release();
      else lock = got;
    } catch {
      // Low battery or a policy: the screen goes dark as it does for everything else.
    }
  };
  const onShown = (): void => void ask();

  document.addEventListener('visibilitychange', onShown);
  void ask();
  return () => {
    isOver = true;
    document.removeEventListener('visibilitychange', onShown);
    lock?.release().catch(() => {});
  };
}
