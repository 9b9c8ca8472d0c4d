// Menus that open below their button: Escape and a press elsewhere close them.

const MENU = "details.menu[open]";

/** @returns {() => void} ends it */
export function closeMenus() {
  /** @param {PointerEvent} event */
  const press = (event) => {
    for (const menu of document.querySelectorAll(MENU)) {
      if (!menu.contains(/** @type {Node} */ (event.target))) menu.removeAttribute("open");
    }
  };
  /** @param {KeyboardEvent} event */
  const key = (event) => {
    if (event.key !== "Escape") return;
    for (const menu of document.querySelectorAll(MENU)) {
      menu.removeAttribute("open");
      if (menu.contains(document.activeElement)) menu.querySelector("summary")?.focus();
    }
  };
  addEventListener("pointerdown", press);
  addEventListener("keydown", key);
  return () => {
    removeEventListener("pointerdown", press);
    removeEventListener("keydown", key);
  };
}
