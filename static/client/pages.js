// @ts-check
/** @import { Page } from "../marcador.d.ts" */
/** @import { Service } from "./http.js" */
/** @import { Topic } from "./topics.js" */

import * as check from "./check.js";
import { Refusal, refusalFrom } from "./http.js";
import { pagePath } from "./topics.js";

/** How long a page may take to come, in milliseconds. */
const PATIENCE = 30_000;

/** Reads the pages of a topic. Its methods reject with a Refusal. */
export class Pages {
  #service;
  #topic;
  #signal;

  /** @param {Service} service @param {Topic} topic @param {AbortSignal} signal ends all reading */
  constructor(service, topic, signal) {
    this.#service = service;
    this.#topic = topic;
    this.#signal = signal;
  }

  /** @param {Record<string, string>} slice @returns {Promise<Page>} */
  async page(slice) {
    const { board, period } = this.#topic;
    const body = await this.json(pagePath(this.#topic, slice));
    try {
      return check.page(body, board, period);
    } catch (cause) {
      throw new Refusal(0, "malformed", refusalFrom(cause).message);
    }
  }

  /** @param {string} path of the service @returns {Promise<unknown>} */
  async json(path) {
    const late = new AbortController();
    const timer = setTimeout(
      () => late.abort(new Error(`no answer within ${PATIENCE / 1000} s`)),
      PATIENCE,
    );
    const soon = AbortSignal.any([this.#signal, late.signal]);
    let response;
    try {
      this.#signal.throwIfAborted();
      response = await this.#service.get(path, { Accept: "application/json" }, soon);
      return await response.json();
    } catch (cause) {
      if (response === undefined || soon.aborted) throw refusalFrom(cause);
      throw new Refusal(0, "malformed", refusalFrom(cause).message);
    } finally {
      clearTimeout(timer);
    }
  }
}
