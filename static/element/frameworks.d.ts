// Types of the tag in the templates of React 19 (JSX), Vue and Svelte. Each part has an effect
// where
// its framework is installed.

import type { MarcadorBoard, MarcadorBoardEvents } from "../element.js";

/** The attributes of the tag, besides those of any element. */
export interface MarcadorBoardAttributes {
  /** `global` (the default), `school:42`, … */
  board?: string | undefined;
  /** `all-time` (the default), `daily`, `weekly` or `monthly`. */
  period?: string | undefined;
  /** How many rows are shown, 1 to 1000 (10). */
  rows?: number | string | undefined;
  /** The service's address. The default is where the script came from. */
  src?: string | undefined;
  /** The heading. The default is the board's name. */
  label?: string | undefined;
  /** All three frameworks set this as a property. */
  getToken?: (() => Promise<string | null>) | null | undefined;
}

/** Listeners: a prefix and the name of the event. */
type Listeners<Prefix extends string> = {
  [Name in keyof MarcadorBoardEvents as `${Prefix}${Name}`]?:
    | ((event: MarcadorBoardEvents[Name]) => void)
    | undefined;
};

// The attributes of any element in each framework.
// @ts-ignore React may not be installed
type ReactAttributes = import("react").HTMLAttributes<MarcadorBoard>;
// @ts-ignore
type ReactProps = import("react").DetailedHTMLProps<ReactAttributes, MarcadorBoard>;
// @ts-ignore Vue may not be installed
type VueProps = import("vue").HTMLAttributes & import("vue").PublicProps;
// @ts-ignore Svelte may not be installed
type SvelteProps = import("svelte/elements").HTMLAttributes<MarcadorBoard>;

// @ts-ignore
declare module "react" {
  namespace JSX {
    interface IntrinsicElements {
      "marcador-board": MarcadorBoardAttributes & Listeners<"on"> & ReactProps;
    }
  }
}

// @ts-ignore
declare module "vue" {
  interface GlobalComponents {
    "marcador-board": new () => MarcadorBoard & {
      /** Vue reads the attributes here. */
      $props: MarcadorBoardAttributes & Listeners<"on"> & VueProps;
      $emit: <Name extends keyof MarcadorBoardEvents>(
        name: Name,
        event: MarcadorBoardEvents[Name],
      ) => void;
    };
  }
}

// @ts-ignore
declare module "svelte/elements" {
  interface SvelteHTMLElements {
    "marcador-board": MarcadorBoardAttributes & Listeners<"on" | "on:"> & SvelteProps;
  }
}
