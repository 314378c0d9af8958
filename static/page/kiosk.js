// @ts-check

/** Whether the page hangs on a wall: `?kiosk`. */
export const isKiosk = new URLSearchParams(location.search).has("kiosk");

if (isKiosk) document.documentElement.classList.add("kiosk");

/** Keeps the screen from going dark, for as long as the page is seen. */
export function keepAwake() {
  const ask = async () => {
    if (document.visibilityState !== "visible") return;
    try {
      await navigator.wakeLock?.request("screen");
    } catch (cause) {
      console.info("marcador: the screen may go dark:", cause);
    }
  };
  // The browser takes it away whenever the page is hidden.
  document.addEventListener("visibilitychange", ask);
  ask();
}
