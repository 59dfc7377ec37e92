/**
 * Opens one connection by the system's ssh program: the second transport, for what only OpenSSH can do.
 * Invariant: one login for all contexts, by a control master of our own that ends with us; every wait has a deadline.
 * Never asks a person; never lets a changed host key pass, whatever the configuration says.
 */

import { spawn } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { failure, type Problem, placed, type Result, success } from '../../agent/protocol/problem.ts';
import type { ConnectionSpec } from '../../inventory/connection-spec.ts';
import { stopwatch } from '../base/clock.ts';
import { connectionProblem } from '../base/problem-codes/connection.ts';
import { type MasterProcess, OpensshConnection } from './openssh-connection.ts';
import { OpensshFolder } from './openssh-folder.ts';
import { changedKey, isAuthenticated, opensshProblem } from './openssh-problem.ts';
import {
  askVariable,
  chainOf,
  clientWords,
  destination,
  pinnedLines,
  type WordOptions,
} from './openssh-words.ts';
import type { SshOptions } from './ssh.ts';

export interface OpensshOptions extends Pick<SshOptions, 'deadlines' | 'signal'> {
  /** Hears of host keys that were accepted without being known. */
  readonly onWarning: (host: string, warning: string) => void;
  /** Read instead of the account's own configuration. */
  readonly configFile?: string | undefined;
}

/** Milliseconds between two looks at a client that is starting. */
const look = 15;

/**
 * Runs the client and ends it with us, also when we are killed: our end of its input closes then. The client itself must
 * not have that input, nor a terminal.
 */
const guard =
  'exec 3<&0; "$@" </dev/null 3<&- & p=$!; { cat <&3 >/dev/null; kill $p; } 2>/dev/null & wait $p; s=$?; kill $! 2>/dev/null; exit $s';

/** Opens a connection to the spec's host, through all its parents. */
export async function connectOpenssh(
  spec: ConnectionSpec,
  options: OpensshOptions,
): Promise<Result<OpensshConnection>> {
  if (options.signal?.aborted) return failure(cancelled(spec));
  const folder = await OpensshFolder.make();
  const opened = await openIn(folder, spec, options);
  if (!opened.ok) await folder.remove();
  return opened;
}

async function openIn(
  folder: OpensshFolder,
  spec: ConnectionSpec,
  options: OpensshOptions,
): Promise<Result<OpensshConnection>> {
  const chain = chainOf(spec);
  const environment = await prepare(folder, chain);
  const { deadlines } = options;
  const words = clientWords(spec, {
    ...filesIn(folder, chain),
    connectTimeout: deadlines.tcp / 1000,
    keepalive: deadlines.keepalive / 1000,
    configFile: options.configFile,
    ownPaths: true,
  });
  const socket = folder.file('control');
  const own = ['-M', '-N', '-S', socket, '-o', 'ControlPersist=no'];
  const [program = 'ssh', ...rest] = words;
  const line = [program, ...own, ...rest, ...destination(spec)];
  const passed = stopwatch();
  const master = startMaster(line, environment);
  const allowed = (deadlines.tcp + deadlines.handshake + deadlines.auth) * chain.length;
  const state = await ready(master, socket, { deadline: allowed, signal: options.signal });
  const setUpMilliseconds = passed();
  const logs = await readLogs(folder, chain);
  const problem = state === 'ready' ? keyProblem(logs) : startProblem({ spec, state, logs, master, allowed });
  if (problem !== undefined) {
    master.end();
    return failure({ ...problem, where: { ...problem.where, host: spec.host } });
  }
  folder.stopAnswering();
  warn(logs, options);
  return success(new OpensshConnection(spec, { master, folder, program, deadlines, setUpMilliseconds }));
}

interface HopLog {
  readonly hop: ConnectionSpec;
  readonly said: string;
}

/** Pinned keys, and who answers for the passwords of a chain. Gives the client's environment. */
async function prepare(folder: OpensshFolder, chain: readonly ConnectionSpec[]): Promise<NodeJS.ProcessEnv> {
  for (const [index, hop] of chain.entries()) {
    if (hop.hostKeys === 'pinned') await folder.write(`pinned-${index}`, `${pinnedLines(hop).join('\n')}\n`);
    if (hop.password !== undefined) await folder.answer(`ask-${index}`, hop.password);
  }
  if (chain.every((hop) => hop.password === undefined)) return process.env;
  return {
    ...process.env,
    SSH_ASKPASS: await folder.writeAsker(),
    SSH_ASKPASS_REQUIRE: 'force',
    // Clients before 8.4 ask a program only where they see a display.
    DISPLAY: process.env.DISPLAY ?? 'towline',
    [askVariable]: folder.file(`ask-${chain.length - 1}`),
  };
}

function filesIn(folder: OpensshFolder, chain: readonly ConnectionSpec[]): Pick<WordOptions, 'filesOf'> {
  return {
    filesOf: (hop) => {
      const index = chain.indexOf(hop);
      return {
        log: folder.file(`log-${index}`),
        pinned: hop.hostKeys === 'pinned' ? folder.file(`pinned-${index}`) : undefined,
        ask: hop.password === undefined ? undefined : folder.file(`ask-${index}`),
      };
    },
  };
}

function startMaster(words: readonly string[], environment: NodeJS.ProcessEnv): MasterProcess {
  const child = spawn('/bin/sh', ['-c', guard, 'towline', ...words], {
    stdio: ['pipe', 'ignore', 'pipe'],
    env: environment,
    detached: true,
  });
  let said = '';
  child.stderr.on('data', (bytes: Buffer) => {
    said = (said + bytes.toString()).slice(-4096);
  });
  child.stdin.on('error', () => {});
  const ended = new Promise<number | null>((resolve) => {
    child.once('error', () => resolve(null));
    child.once('close', (status) => {
      child.stdin.destroy();
      resolve(status);
    });
  });
  return {
    ended,
    end: () => child.stdin.destroy(),
    get said() {
      return said;
    },
  };
}

type Started = 'ready' | 'ended' | 'late' | 'cancelled';

/** The control socket is there once the host has let us in. */
async function ready(
  master: MasterProcess,
  socket: string,
  wait: { readonly deadline: number; readonly signal: AbortSignal | undefined },
): Promise<Started> {
  let state: Started | undefined;
  void master.ended.then(() => {
    state ??= 'ended';
  });
  for (let waited = 0; state === undefined; waited += look) {
    if (wait.signal?.aborted) return 'cancelled';
    if (waited > wait.deadline) return 'late';
    const there = await stat(socket).catch(() => undefined);
    if (there !== undefined) return 'ready';
    await pause(look);
  }
  return state;
}

async function readLogs(folder: OpensshFolder, chain: readonly ConnectionSpec[]): Promise<readonly HopLog[]> {
  return Promise.all(chain.map(async (hop, index) => ({ hop, said: await folder.read(`log-${index}`) })));
}

interface Failed {
  readonly spec: ConnectionSpec;
  readonly state: Started;
  readonly logs: readonly HopLog[];
  readonly master: MasterProcess;
  readonly allowed: number;
}

/** Why no connection came about: the outermost host that did not let us in is the reason. */
function startProblem({ spec, state, logs, master, allowed }: Failed): Problem {
  if (state === 'cancelled') return cancelled(spec);
  const at = logs.findIndex(({ said }) => !isAuthenticated(said));
  const { hop, said } = logs[at] ?? { hop: spec, said: '' };
  const where = { host: spec.host };
  if (state === 'late') {
    const code = /Authentications that can continue/.test(said) ? 'ssh.auth-timeout' : 'ssh.handshake-failed';
    return connectionProblem(code, `${hop.address}: ssh was not let in within ${allowed / 1000} s`, {
      where,
    });
  }
  if (/ssh: (command )?not found|ssh: No such file/.test(master.said)) {
    return connectionProblem('ssh.client-missing', 'there is no program ssh here', { where });
  }
  const before = logs[at - 1]?.said ?? '';
  const all = `${/stdio forwarding failed/.test(before) ? `${before}\n` : ''}${said}\n${master.said}`;
  const problem = opensshProblem(hop, all, 'ssh ended without a word');
  if (hop === spec) return problem;
  const message = `${hop.host}, which ${spec.host} is reached through: ${problem.message}`;
  return { ...problem, message, cause: placed(problem, { host: hop.host }) };
}

function keyProblem(logs: readonly HopLog[]): Problem | undefined {
  return logs.map(({ hop, said }) => changedKey(hop, said)).find((problem) => problem !== undefined);
}

function warn(logs: readonly HopLog[], { onWarning }: OpensshOptions): void {
  for (const { hop, said } of logs) {
    const key = /Server host key: (\S+ SHA256:\S+)/.exec(said)?.[1] ?? '';
    if (hop.hostKeys === 'ignore') {
      onWarning(
        hop.host,
        `its key ${key} was not checked (towline_host_keys is ignore): anyone in between could read and change everything`,
      );
    } else if (/Permanently added/.test(said)) {
      onWarning(hop.host, `its key ${key} is new and was added to known_hosts`);
    }
  }
}

function cancelled(spec: ConnectionSpec): Problem {
  return connectionProblem('line.cancelled', 'the attempt was cancelled', { where: { host: spec.host } });
}
