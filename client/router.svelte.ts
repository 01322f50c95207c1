/** The address bar as state: one route, and ways to change it without loading the page again. */
import { type Route, routeOf } from './route.ts';

class Router {
  #route = $state.raw<Route>(routeOf(location));
  /** Rises with each arrival, so that opening the same link again is a new visit. */
  #visit = $state(0);

  constructor() {
    addEventListener('popstate', () => this.#read());
  }

  get route(): Route {
    return this.#route;
  }

  get visit(): number {
    return this.#visit;
  }

  /** @param url of this origin */
  go(url: string): void {
    history.pushState(null, '', url);
    this.#read();
  }

  #read(): void {
    this.#route = routeOf(location);
    this.#visit += 1;
  }
}

export const router = new Router();
