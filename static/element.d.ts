import type { RankChanged, Snapshot, Status } from "./marcador.js";

export type { MarcadorBoardAttributes } from "./element/frameworks.js";

/**
 * `<marcador-board board="school:42" period="weekly" rows="10">`: a board that follows itself. Importing this
 * module defines it. Its attributes are board, period, rows, src, label and lang; a change of one shows at once.
 */
export class MarcadorBoard extends HTMLElement {
  /** Gives the reader's token, and is asked again when that one has expired; null where a cookie speaks, or nobody. */
  getToken: (() => Promise<string | null>) | null;
  /** What is shown, null before the first connection. The last one stays after the element's removal. */
  readonly snapshot: Snapshot | null;
  /** The attributes, "" where there is none. */
  board: string;
  period: string;
  src: string;
  label: string;
  /** How many rows are shown: the attribute where that is a number from 1 to 1000, else 10. */
  rows: number;
  /** Reads the page once. Always resolves. */
  refresh(): Promise<void>;
  /** Tries the stream at once. */
  retry(): void;
}

/** They bubble, out of shadow roots too. */
export interface MarcadorBoardEvents {
  /** The board has moved, or came for the first time. */
  "marcador-update": CustomEvent<{ snapshot: Snapshot }>;
  "marcador-status": CustomEvent<{ status: Status }>;
  /** The reader's own rank has changed. */
  "marcador-rank": CustomEvent<RankChanged>;
}

declare global {
  interface HTMLElementTagNameMap {
    "marcador-board": MarcadorBoard;
  }
  interface HTMLElementEventMap extends MarcadorBoardEvents {}
}
