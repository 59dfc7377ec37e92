/**
 * Asks a worker that does not answer where it is.
 * Invariant: answers within its time limit, with nothing if the worker cannot say; never leaves a debugger attached.
 * Uses the inspector inside this process only; opens no port.
 */

import { Session } from 'node:inspector';
import { isMainThread } from 'node:worker_threads';
import { type RawPosition, roleScriptPrefix } from './authoring/draft.ts';

interface Attached {
  readonly sessionId: string;
  /** The title begins with `[worker <thread id>]`; ids of its own count per session. */
  readonly workerInfo: { readonly title: string };
}

interface FromWorker {
  readonly method?: string;
  readonly params?: {
    readonly scriptId?: string;
    readonly url?: string;
    readonly callFrames?: readonly {
      readonly location: {
        readonly scriptId: string;
        readonly lineNumber: number;
        readonly columnNumber?: number;
      };
    }[];
  };
}

/** The innermost position in role code of a running worker thread. */
export function whereIs(threadId: number, milliseconds = 1000): Promise<RawPosition | undefined> {
  // Only the main thread's inspector sees workers.
  if (!isMainThread) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    const session = new Session();
    let attached: string | undefined;
    const send = (method: string): void => {
      if (attached === undefined) return;
      const message = JSON.stringify({ id: 1, method });
      session.post('NodeWorker.sendMessageToWorker', { sessionId: attached, message });
    };
    const finish = (position?: RawPosition): void => {
      clearTimeout(timer);
      send('Debugger.disable');
      session.post('NodeWorker.disable', () => session.disconnect());
      resolve(position);
    };
    const timer = setTimeout(finish, milliseconds);
    const roleScripts = new Set<string>();
    session.connect();
    session.on('NodeWorker.attachedToWorker', ({ params }: { params: Attached }) => {
      if (!params.workerInfo.title.startsWith(`[worker ${threadId}]`)) return;
      attached = params.sessionId;
      send('Debugger.enable');
      send('Debugger.pause');
    });
    session.on('NodeWorker.receivedMessageFromWorker', ({ params }: { params: { message: string } }) => {
      const { method, params: said } = JSON.parse(params.message) as FromWorker;
      if (method === 'Debugger.scriptParsed' && said?.url?.startsWith(roleScriptPrefix)) {
        roleScripts.add(said.scriptId ?? '');
      }
      if (method !== 'Debugger.paused') return;
      const at = said?.callFrames?.find(({ location }) => roleScripts.has(location.scriptId))?.location;
      finish(at && { line: at.lineNumber + 1, column: (at.columnNumber ?? 0) + 1 });
    });
    session.post('NodeWorker.enable', { waitForDebuggerOnStart: false });
  });
}
