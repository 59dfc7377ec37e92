/**
 * Fills what nobody declared of a connection from OpenSSH's configuration: ~/.ssh/config and /etc/ssh/ssh_config.
 * Invariant: what was declared stays; the host's identity stays; no program runs where the files say nothing of a host.
 * Never weakens trust: `StrictHostKeyChecking no` becomes accept-new, so a changed key is refused all the same.
 */

import { homedir, hostname, userInfo } from 'node:os';
import { join } from 'node:path';
import { failure, type Problem, type Result, success } from '../../agent/protocol/problem.ts';
import type { ConnectionSpec, FillableSetting } from '../../inventory/connection-spec.ts';
import { connectionProblem } from '../base/problem-codes/connection.ts';
import { answerOfBlocks, type ConfigAnswer, type ConfigQuestion, SshProgram } from './ssh-config-answer.ts';
import {
  applies,
  type ConfigFiles,
  type ConfigScan,
  isCurrent,
  isUniversal,
  type Statement,
  scanConfig,
} from './ssh-config-file.ts';
import { fillFrom } from './ssh-config-fill.ts';
import { type JumpHop, jumpHops } from './ssh-jump.ts';
import type { TokenValues } from './ssh-tokens.ts';

export interface SshConfigOptions {
  readonly files: ConfigFiles;
  /** Given to ssh with -F; undefined lets ssh read the same files by itself. */
  readonly file: string | undefined;
  /** The OpenSSH client. */
  readonly program: string;
  readonly local: Pick<TokenValues, 'home' | 'localUser' | 'localUid' | 'localHost' | 'environment'>;
}

/** The configuration of the account that runs this process. */
export function ownSshConfig(
  environment: SshConfigOptions['local']['environment'] = process.env,
  home: string = homedir(),
): SshConfigOptions {
  const account = userInfo();
  const user = join(home, '.ssh', 'config');
  // ssh finds the account's home in the password file and knows nothing of HOME.
  const isOwn = home === account.homedir;
  return {
    files: { home, user, system: isOwn ? '/etc/ssh/ssh_config' : undefined },
    file: isOwn ? undefined : user,
    program: 'ssh',
    local: { home, localUser: account.username, localUid: account.uid, localHost: hostname(), environment },
  };
}

const relevant = new Set(
  `hostname user port identityfile identitiesonly identityagent certificatefile proxyjump proxycommand
  userknownhostsfile globalknownhostsfile stricthostkeychecking hostkeyalias connecttimeout serveraliveinterval
  serveralivecountmax canonicalizehostname include`.split(/\s+/),
);
/** Their tokens are expanded by us, so hosts may share an answer. */
const expandedHere = new Set(['identityfile', 'certificatefile', 'userknownhostsfile', 'identityagent']);

/** ssh prints a name also where nothing was said, so an answer is for one name. */
const namesOne = new Set(['hostname', 'canonicalizehostname']);

/** Looks settings up; one for each process, so that answers are shared. */
export class SshConfig {
  readonly #options: SshConfigOptions;
  readonly #program: SshProgram;
  #scan: Promise<ConfigScan> | undefined;
  #answers = new Map<string, Promise<Result<ConfigAnswer>>>();

  constructor(options: SshConfigOptions) {
    this.#options = options;
    this.#program = new SshProgram(options.program, options.file);
  }

  /** The spec with all that the configuration says of it and of its parents; nothing in it is unsaid any more. */
  resolve(spec: ConnectionSpec): Promise<Result<ConnectionSpec>> {
    return this.#resolve(spec, []);
  }

  async #resolve(spec: ConnectionSpec, trail: readonly string[]): Promise<Result<ConnectionSpec>> {
    const parent = spec.via === undefined ? undefined : await this.#resolve(spec.via, trail);
    if (parent !== undefined && !parent.ok) return failure(placedAt(parent.problem, spec.host));
    const own = parent === undefined ? spec : { ...spec, via: parent.value };
    // The OpenSSH transport reads its configuration by itself.
    if (spec.kind !== 'ssh' || spec.transport === 'openssh' || spec.unsaid === undefined) return success(own);
    if (isRelayed(own)) return success(own);
    const question: ConfigQuestion = {
      name: spec.address,
      user: spec.unsaid.has('user') ? undefined : spec.user,
      port: spec.unsaid.has('port') ? undefined : spec.port,
      direct: !spec.unsaid.has('via'),
    };
    const scan = await this.#current();
    const answer = await this.#answer(scan, question);
    if (!answer.ok) return failure(placedAt(answer.problem, spec.host));
    const filled = fillFrom(own, answer.value, { scan, ...this.#options });
    const way = [...trail, placeOf(filled)];
    if (trail.includes(placeOf(filled))) return failure(cycle(way, spec.host));
    return spec.unsaid.has('via') ? this.#jump(filled, answer.value, way) : success(filled);
  }

  /** Goes through the hosts of ProxyJump, each looked up by itself; only the first may have a jump of its own. */
  async #jump(
    spec: ConnectionSpec,
    answer: ConfigAnswer,
    trail: readonly string[],
  ): Promise<Result<ConnectionSpec>> {
    const command = answer.get('proxycommand')?.[0];
    if (command !== undefined) {
      const message = `OpenSSH's configuration reaches ${spec.host} by ProxyCommand ${command}`;
      return failure(connectionProblem('ssh.proxy-command', message, { where: { host: spec.host } }));
    }
    const jump = answer.get('proxyjump')?.[0];
    if (jump === undefined) return success(spec);
    let via: ConnectionSpec | undefined;
    for (const hop of jumpHops(jump)) {
      const hopSpec = specOf(hop, via);
      const resolved = await this.#resolve(hopSpec, trail);
      if (!resolved.ok)
        return failure(placedAt(await this.#cause(hopSpec, resolved.problem, trail), spec.host));
      via = resolved.value;
    }
    return success({ ...spec, via });
  }

  /** ssh gives no answer at all to a jump host that jumps through itself; without the jump it does. */
  async #cause(hop: ConnectionSpec, problem: Problem, trail: readonly string[]): Promise<Problem> {
    if (problem.code !== 'ssh.config-invalid' || hop.via !== undefined) return problem;
    const direct = await this.#resolve({ ...hop, unsaid: new Set() }, []);
    return direct.ok ? { ...cycle([...trail, placeOf(direct.value)], hop.host), cause: problem } : problem;
  }

  /** One look at the files serves all who ask at the same time. */
  #current(): Promise<ConfigScan> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  #looking: Promise<ConfigScan> | undefined;

  async #look(): Promise<ConfigScan> {
    const before = await this.#scan;
    if (before !== undefined && (await isCurrent(before))) return before;
    this.#scan = scanConfig(this.#options.files);
    this.#answers = new Map();
    return this.#scan;
  }

  #answer(scan: ConfigScan, question: ConfigQuestion): Promise<Result<ConfigAnswer>> {
    const own = scan.statements.filter(
      (statement) => concerns(statement) && applies(statement, question.name) !== 'no',
    );
    if (own.length === 0) return Promise.resolve(success(new Map()));
    const shared =
      !/[A-Z]/.test(question.name) && own.every((statement) => isShared(statement, question.name));
    const which = shared ? own.map((statement) => scan.statements.indexOf(statement)) : question.name;
    const key = JSON.stringify([which, question.user, question.port, question.direct]);
    const known = this.#answers.get(key) ?? this.#ask(scan, question);
    this.#answers.set(key, known);
    const answers = this.#answers;
    void known.then((answer) => answer.ok || answers.delete(key));
    return known;
  }

  async #ask(scan: ConfigScan, question: ConfigQuestion): Promise<Result<ConfigAnswer>> {
    const answer = await this.#program.ask(question);
    if (!answer.ok) return answer;
    const blocks = answer.value ?? answerOfBlocks(scan.statements.filter(concerns), question);
    if (blocks !== undefined) return success(blocks);
    const message = `OpenSSH's configuration says something of ${question.name} that only ssh can tell, and there is no ssh here`;
    return failure(connectionProblem('ssh.config-no-program', message));
  }
}

/** HashKnownHosts for everybody is read from the files themselves: Debian has it, and it needs no program. */
function concerns(statement: Statement): boolean {
  if (statement.keyword === 'hashknownhosts') return !isUniversal(statement);
  return relevant.has(statement.keyword);
}

/** Whether the statement says the same to every host that it applies to, as an answer tells it. */
function isShared(statement: Statement, name: string): boolean {
  if (applies(statement, name) === 'perhaps' || namesOne.has(statement.keyword)) return false;
  return expandedHere.has(statement.keyword) || !statement.args.join(' ').includes('%');
}

function specOf(hop: JumpHop, via: ConnectionSpec | undefined): ConnectionSpec {
  const unsaid = new Set<FillableSetting>(['address', 'keyFile', 'hostKeys']);
  if (hop.user === undefined) unsaid.add('user');
  if (hop.port === undefined) unsaid.add('port');
  if (via === undefined) unsaid.add('via');
  return {
    kind: 'ssh',
    host: hop.name,
    address: hop.name,
    port: hop.port ?? 22,
    user: hop.user,
    hostKeys: 'strict',
    pinnedKeys: [],
    unsaid,
    via,
  };
}

/** The connection is made on another machine, where that machine's configuration counts. */
function isRelayed({ via }: ConnectionSpec): boolean {
  return via !== undefined && (via.relay === true || via.kind !== 'ssh' || isRelayed(via));
}

function placeOf({ user, address, port }: ConnectionSpec): string {
  return `${user === undefined ? '' : `${user}@`}${address.toLowerCase()}:${port}`;
}

function cycle(trail: readonly string[], host: string): Problem {
  return connectionProblem('ssh.jump-cycle', `ProxyJump goes in a circle: ${trail.join(' → ')}`, {
    where: { host },
  });
}

/** The host that was asked for counts, also where a jump host is the trouble. */
function placedAt(problem: Problem, host: string): Problem {
  return { ...problem, where: { ...problem.where, host } };
}
