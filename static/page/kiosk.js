// @ts-check

/** Whether the page hangs on a wall: `?kiosk`. */
export const isKiosk = new URLSearchParams(location.search).has("kiosk");

if (isKiosk) document.documentElement.classList.add("kiosk");

/** Keeps the screen on while the page is visible. */
export function keepAwake() {
  const ask = async () => {
    if (document.visibilityState !== "visible") return;
    try {
      await navigator.wakeLock?.request("screen");
    } catch (cause) {
      console.info("marcador: the screen may turn off:", cause);
    }
  };
  // Browsers release the lock whenever the page is hidden.
  document.addEventListener("visibilitychange", ask);
  ask();
}
