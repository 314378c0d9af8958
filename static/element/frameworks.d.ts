// The tag for templates that are type-checked: JSX of React 19, Vue, and Svelte. Each
// part counts where that framework is installed.

import type { MarcadorBoard, MarcadorBoardEvents } from "../element.js";

/** What a template may write on the tag, besides what any element takes. */
export interface MarcadorBoardAttributes {
  /** `global` (the default), `school:42`, … */
  board?: string | undefined;
  /** `all-time` (the default), `daily`, `weekly` or `monthly`. */
  period?: string | undefined;
  /** How many rows are shown, 1 to 1000 (10). */
  rows?: number | string | undefined;
  /** The service's address; where the script came from, if a service served it. */
  src?: string | undefined;
  /** The heading; the board's name otherwise. */
  label?: string | undefined;
  /** A property, which each of the three sets as one. */
  getToken?: (() => Promise<string | null>) | null | undefined;
}

/** Listeners by the name of their event behind a prefix. */
type Listeners<Prefix extends string> = {
  [Name in keyof MarcadorBoardEvents as `${Prefix}${Name}`]?:
    | ((event: MarcadorBoardEvents[Name]) => void)
    | undefined;
};

// What any element takes, in each framework.
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
      /** Vue reads here what a template may write. */
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
