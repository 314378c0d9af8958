import type { RankChanged, Snapshot, Status } from "./marcador.js";

export type { MarcadorBoardAttributes } from "./element/frameworks.js";

/**
 * `<marcador-board board="school:42" period="weekly" rows="10">`: a live board. Importing this
 * module defines the tag. Its attributes are board, period, rows, src, label and lang. Changes show
 * at once.
 */
export class MarcadorBoard extends HTMLElement {
  /**
   * Gives the reader's token, and is called again when it has expired. Null if a cookie speaks, or
   * nobody.
   */
  getToken: (() => Promise<string | null>) | null;
  /** What is shown, null before the first connection. It stays after the element is removed. */
  readonly snapshot: Snapshot | null;
  /** The attributes, "" for a missing one. */
  board: string;
  period: string;
  src: string;
  label: string;
  /** How many rows are shown: the attribute if it is a number from 1 to 1000, else 10. */
  rows: number;
  /** Reads the board once. Always resolves. */
  refresh(): Promise<void>;
  /** Tries the stream at once. */
  retry(): void;
}

/** Events bubble, also out of shadow roots. */
export interface MarcadorBoardEvents {
  /** The board has a new state, or its first. */
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
