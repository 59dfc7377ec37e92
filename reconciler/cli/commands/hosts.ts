/**
 * `towline hosts trust`: shows the keys that hosts have, and records them in known_hosts once a person said yes.
 * Invariant: nothing is recorded without a yes or --yes; a key that differs from a known one is never recorded.
 * Logs in to nothing but the bastions on the way.
 */

import type { Problem } from '../../../agent/protocol/problem.ts';
import { openSecret } from '../../../agent/protocol/secret.ts';
import { connectionFor } from '../../../inventory/connection.ts';
import type { ConnectionSpec } from '../../../inventory/connection-spec.ts';
import { limited } from '../../base/limited.ts';
import { cliProblem } from '../../base/problem-codes/cli.ts';
import type { HostTrust, TrustSurvey } from '../../connection/host-trust.ts';
import { fingerprint, keyType } from '../../connection/known-hosts.ts';
import { counted } from '../../report/host-list.ts';
import { type Command, type ExitStatus, exitStatus, type Invocation } from '../command.ts';
import { type Fleet, readFleet } from '../fleet.ts';
import { refuse } from '../refuse.ts';
import { isFresh, isRefused, trustView } from '../view/trust.ts';
import { type Workspace, withWorkspace } from '../workspace.ts';

export const hosts: Command = {
  name: 'hosts',
  args: '<trust> <PATTERN>',
  summary: 'show the keys of hosts and record them in known_hosts',
  options: ['worktree', 'yes'],
  examples: [
    ['towline hosts trust web-1', 'one host, and the bastions on the way to it'],
    ['towline hosts trust "*"', 'every host, asking once'],
    ['towline hosts trust @web --yes', 'a group, in a script'],
  ],
  async run(invocation) {
    const { options, args } = invocation;
    if (args[0] !== 'trust') {
      return refuse(invocation, [cliProblem('cli.bad-option', `hosts ${args[0]}: say hosts trust PATTERN`)]);
    }
    const about = { state: 'read' as const, worktree: options.worktree };
    const ended = await withWorkspace(invocation, about, async (workspace) => {
      const fleet = await readFleet(workspace, options, args[1]);
      if (!fleet.ok) return refuse(invocation, fleet.problems);
      const trust = workspace.trust();
      try {
        return await trustFleet(new Trusting(invocation, workspace, trust), fleet.value);
      } finally {
        await trust.close();
      }
    });
    return typeof ended === 'number' ? ended : refuse(invocation, ended.refused);
  },
};

async function trustFleet(trusting: Trusting, fleet: Fleet): Promise<ExitStatus> {
  const { inventory, environment } = fleet;
  const specs: ConnectionSpec[] = [];
  const problems: Problem[] = [];
  for (const { name } of fleet.hosts) {
    const spec = connectionFor(inventory, name, {}, trusting.workspace.services.defaults);
    if (spec.ok) specs.push(spec.value);
    else problems.push(spec.problem);
  }
  const planned = await trusting.trust.rounds(specs);
  problems.push(...planned.problems);
  for (const round of planned.rounds) {
    if (trusting.isOver) break;
    await trusting.round(round, environment.parallel);
  }
  return trusting.finish(problems);
}

/** What is said of a host at the end, for programs. */
interface TrustedHost {
  readonly host: string;
  readonly name: string;
  readonly file: string;
  readonly keys: readonly object[];
  readonly recorded: number;
  readonly skipped?: string | undefined;
  readonly problem?: Problem | undefined;
}

/** One host by its name, several by their number. */
function namesOf(surveys: readonly TrustSurvey[]): string {
  return surveys.length === 1 ? (surveys[0]?.host ?? '') : counted(surveys.length, 'host');
}

class Trusting {
  readonly workspace: Workspace;
  readonly trust: HostTrust;
  readonly #invocation: Invocation;
  readonly #told: TrustedHost[] = [];
  #hasFailed = false;
  #stopped: Problem | undefined;

  constructor(invocation: Invocation, workspace: Workspace, trust: HostTrust) {
    this.#invocation = invocation;
    this.workspace = workspace;
    this.trust = trust;
  }

  /** Whether somebody said no, or nobody could be asked: what lies behind cannot be reached then. */
  get isOver(): boolean {
    return this.#stopped !== undefined || this.#invocation.surroundings.interrupted.aborted;
  }

  /** Hosts at one depth: seen, shown, asked about and recorded. */
  async round(specs: readonly ConnectionSpec[], most: number): Promise<void> {
    const signal = this.#invocation.surroundings.interrupted;
    const seen = await limited(specs, { most, signal }, (spec) => this.trust.survey(spec));
    const surveys = seen.filter((survey) => survey !== undefined);
    const { output } = this.workspace;
    const { json } = this.#invocation.options;
    if (!json) output.lines(trustView(surveys, output.style, output.width));
    const fresh = surveys.filter(isFresh);
    const isTrusted = fresh.length > 0 && (await this.#confirm(fresh));
    const recorded = new Map<TrustSurvey, number>();
    for (const survey of isTrusted ? fresh : []) recorded.set(survey, await this.#record(survey));
    if (!json) this.#sayRecorded(fresh, recorded);
    for (const survey of surveys) this.#tell(survey, recorded.get(survey) ?? 0);
  }

  finish(problems: readonly Problem[]): ExitStatus {
    const { output } = this.workspace;
    if (this.#invocation.options.json) output.document(this.#told, () => []);
    const said = this.#stopped === undefined ? problems : [...problems, this.#stopped];
    output.problems(said);
    if (this.#invocation.surroundings.interrupted.aborted) return exitStatus.interrupted;
    return this.#hasFailed || said.length > 0 ? exitStatus.failure : exitStatus.done;
  }

  async #confirm(fresh: readonly TrustSurvey[]): Promise<boolean> {
    if (this.#invocation.options.yes) return true;
    const count = fresh.flatMap(({ keys }) => keys.filter(({ state }) => state === 'new')).length;
    const what = `${count === 1 ? 'this new key' : `these ${count} new keys`} of ${namesOf(fresh)}`;
    const answer = await this.workspace.asker.ask({
      prompt: `Trust ${what}? [y/N] `,
      echo: true,
      remarks: ['Compare the fingerprints on the hosts: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub'],
    });
    if (answer.kind === 'answered' && /^y(es)?$/i.test(openSecret(answer.text).trim())) return true;
    const why = answer.kind === 'nobody' ? `nobody can be asked: ${answer.reason}` : 'the answer was no';
    this.#stopped = cliProblem('cli.not-confirmed', `nothing was recorded of ${what}: ${why}`);
    return false;
  }

  async #record(survey: TrustSurvey): Promise<number> {
    const recorded = await this.trust.record(survey);
    if (recorded.ok) return recorded.value;
    this.#hasFailed = true;
    this.workspace.output.problems([recorded.problem]);
    return 0;
  }

  #sayRecorded(fresh: readonly TrustSurvey[], recorded: ReadonlyMap<TrustSurvey, number>): void {
    const files = new Map<string, number>();
    const toHosts = (file: string): string => namesOf(fresh.filter((survey) => survey.file === file));
    for (const [{ file }, count] of recorded) files.set(file, (files.get(file) ?? 0) + count);
    const { output } = this.workspace;
    for (const [file, count] of files) {
      output.lines([
        output.style.paint(
          'good',
          output.style.clean(`✓ ${counted(count, 'key')} of ${toHosts(file)} added to ${file}`),
        ),
      ]);
    }
  }

  #tell(survey: TrustSurvey, recorded: number): void {
    const { host, name, file, keys, skipped, problem } = survey;
    if (problem !== undefined || isRefused(survey)) this.#hasFailed = true;
    const told = keys.map(({ key, state, line }) => ({
      type: keyType(key.toString('base64')),
      fingerprint: fingerprint(key),
      state,
      ...(line === undefined ? {} : { file: line.file, line: line.line }),
    }));
    this.#told.push({ host, name, file, keys: told, recorded, skipped, problem });
  }
}
