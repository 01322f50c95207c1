/** JavaScript heap of a page and of its workers, in use after a collection of garbage; by the DevTools protocol. */
import type { CDPSession, Page } from 'playwright-core';

interface Answer {
  id?: number;
  result?: { usedSize?: number };
}

/** @returns bytes */
export async function heapOf(page: Page): Promise<{ page: number; workers: number }> {
  const session = await page.context().newCDPSession(page);
  try {
    const workers = await workersOf(session);
    let inWorkers = 0;
    for (const worker of workers) {
      for (let i = 0; i < 3; i++) await ask(session, worker, 'HeapProfiler.collectGarbage');
      inWorkers += (await ask(session, worker, 'Runtime.getHeapUsage')).result!.usedSize!;
    }
    for (let i = 0; i < 3; i++) await session.send('HeapProfiler.collectGarbage');
    return { page: (await session.send('Runtime.getHeapUsage')).usedSize, workers: inWorkers };
  } finally {
    await session.detach();
  }
}

/** Sessions of those that are there; without `flatten` their messages go through the page's own session. */
async function workersOf(session: CDPSession): Promise<string[]> {
  const sessions: string[] = [];
  session.on('Target.attachedToTarget', ({ sessionId, targetInfo }) => {
    if (targetInfo.type === 'worker') sessions.push(sessionId);
  });
  // Told of all that there are before it is answered.
  await session.send('Target.setAutoAttach', { autoAttach: true, waitForDebuggerOnStart: false, flatten: false });
  return sessions;
}

let nextId = 1;

async function ask(session: CDPSession, sessionId: string, method: string): Promise<Answer> {
  const id = nextId++;
  const answered = new Promise<Answer>((resolve) => {
    session.on('Target.receivedMessageFromTarget', (event) => {
      const message = JSON.parse(event.message) as Answer;
      if (event.sessionId === sessionId && message.id === id) resolve(message);
    });
  });
  await session.send('Target.sendMessageToTarget', { sessionId, message: JSON.stringify({ id, method }) });
  return answered;
}
