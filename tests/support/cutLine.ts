/** A person's line to signal that a test cuts and mends, and that remembers everything that passed. Sockets of a page only. */
import type { BrowserContext, WebSocketRoute } from 'playwright-core';

export class CutLine {
  /** Both ways, as it went over the wire. */
  readonly passed: string[] = [];
  readonly #open = new Set<WebSocketRoute>();
  #isCut = false;

  private constructor() {}

  /** Before the context's first page. */
  static async of(context: BrowserContext): Promise<CutLine> {
    const line = new CutLine();
    await context.routeWebSocket(/\/ws/, (page) => line.#route(page));
    return line;
  }

  async cut(): Promise<void> {
    this.#isCut = true;
    await Promise.all([...this.#open].map((page) => page.close({ code: 1001 })));
  }

  mend(): void {
    this.#isCut = false;
  }

  #route(page: WebSocketRoute): void {
    if (this.#isCut) return void page.close({ code: 1001 });
    const server = page.connectToServer();
    this.#open.add(page);
    const note = (message: string | Buffer): string | Buffer => {
      this.passed.push(message.toString());
      return message;
    };
    page.onMessage((message) => server.send(note(message)));
    server.onMessage((message) => page.send(note(message)));
    page.onClose(() => {
      this.#open.delete(page);
      void server.close();
    });
    server.onClose((code, reason) => {
      this.#open.delete(page);
      void page.close({ code: code ?? 1000, ...(reason ? { reason } : {}) });
    });
  }
}
