/** The address bar as state: one route, and ways to change it without loading the page again. */
import { type Route, routeOf } from './route.ts';

class Router {
  #route = $state.raw<Route>(routeOf(location));
  /** Rises with each arrival, so that opening the same link again is a new visit. */
  #visit = $state(0);

  /** Whoever came here wants to read, and be neither seen nor heard: not so after a reload. */
  #wantsChat = false;

  constructor() {
    addEventListener('popstate', () => this.#read());
  }

  get route(): Route {
    return this.#route;
  }

  get visit(): number {
    return this.#visit;
  }

  get wantsChat(): boolean {
    return this.#wantsChat;
  }

  /** @param url of this origin */
  go(url: string, wantsChat = false): void {
    history.pushState(null, '', url);
    this.#read(wantsChat);
  }

  #read(wantsChat = false): void {
    this.#wantsChat = wantsChat;
    this.#route = routeOf(location);
    this.#visit += 1;
  }
}

export const router = new Router();
