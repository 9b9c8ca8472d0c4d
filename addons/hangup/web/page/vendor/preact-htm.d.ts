// What the page uses of preact and htm, for the type checker alone.

/** A piece of the page as `html` makes it. */
export type Piece = unknown;

export function html(strings: TemplateStringsArray, ...values: unknown[]): any;
export function render(piece: Piece, parent: Element): void;

type Update<T> = (next: T | ((now: T) => T)) => void;
export function useState<T>(first: T | (() => T)): [T, Update<T>];
export function useReducer<S, A>(step: (state: S, action: A) => S, first: S): [S, (action: A) => void];
export function useRef<T>(first: T): { current: T };
export function useMemo<T>(make: () => T, of: unknown[]): T;
export function useEffect(effect: () => void | (() => void), of?: unknown[]): void;
export function useLayoutEffect(effect: () => void | (() => void), of?: unknown[]): void;
