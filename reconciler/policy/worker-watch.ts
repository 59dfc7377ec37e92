/**
 * The worker's second thread: it can answer while role code runs on and on in the first.
 * Invariant: asked by the client, says where role code stands; ends the process as soon as the client is gone.
 * Uses the inspector inside this process only; opens no port.
 */

import { Session } from 'node:inspector';
import { Socket } from 'node:net';
import { type RawPosition, roleScriptPrefix } from './authoring/draft.ts';
import { watchChannel } from './evaluation/messages.ts';

const client = new Socket({ fd: watchChannel });
client.on('data', () => whereIs((position) => client.write(JSON.stringify(position))));
client.on('error', () => client.destroy());
client.on('close', () => process.kill(process.pid, 'SIGKILL'));

/** Pauses the first thread and tells the innermost position in role code; says nothing where there is none. */
function whereIs(tell: (position: RawPosition) => void): void {
  const roleScripts = new Set<string>();
  const session = new Session();
  session.connectToMainThread();
  session.on('Debugger.scriptParsed', ({ params: { url, scriptId } }) => {
    if (url.startsWith(roleScriptPrefix)) roleScripts.add(scriptId);
  });
  session.on('Debugger.paused', ({ params: { callFrames } }) => {
    const at = callFrames.find(({ location }) => roleScripts.has(location.scriptId))?.location;
    if (at !== undefined) tell({ line: at.lineNumber + 1, column: (at.columnNumber ?? 0) + 1 });
  });
  session.post('Debugger.enable');
  session.post('Debugger.pause');
}
