/**
 * Watch for moments at which a connection should be looked at: the network is back,
 * or the user is. Returns a function that stops it; does nothing outside a browser.
 */
export function watchWakeUps(wake: () => void, wentOffline: () => void): () => void {
  if (typeof document === 'undefined') return () => undefined;
  const becameVisible = (): void => {
    if (document.visibilityState === 'visible') wake();
  };
  addEventListener('online', wake);
  addEventListener('offline', wentOffline);
  document.addEventListener('visibilitychange', becameVisible);
  return () => {
    removeEventListener('online', wake);
    removeEventListener('offline', wentOffline);
    document.removeEventListener('visibilitychange', becameVisible);
  };
}
