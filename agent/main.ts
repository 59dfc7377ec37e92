/**
 * The agent's entry: standard input and output become a session.
 * Invariant: standard output carries frames only; the process ends with its session and leaves nothing behind.
 * The only file of the agent that reads process.* or exits.
 */

import { homedir } from 'node:os';
import { findPlaces } from './places.ts';
import { runSession } from './session.ts';

process.chdir('/');
process.title = 'towline-agent';
for (const signal of ['SIGINT', 'SIGHUP', 'SIGPIPE'] as const) process.on(signal, () => {});
// Asked to end: as when the line is lost, the resource in hand is finished first.
process.on('SIGTERM', () => process.stdin.destroy(new Error('terminated')));

const uid = process.getuid?.() ?? 0;
void runSession({
  input: process.stdin,
  output: process.stdout,
  places: findPlaces(process.env, uid, homedir()),
  agent: process.env.TOWLINE_AGENT_DIGEST ?? '',
  code: (globalThis as { towlineAgent?: Buffer }).towlineAgent,
  pid: process.pid,
  node: process.version,
  now: () => performance.now(),
  date: () => new Date().toISOString(),
}).then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`towline agent: ${String((error as Error).stack ?? error)}\n`);
    process.exit(70);
  },
);
