/**
 * Which environments there are now: towline.toml of the trusted branch, bound to the branches that exist.
 * Invariant: a branch cannot widen its own rights, because only the trusted branch's file is read; a broken file keeps the last good one.
 * Never evaluates a role.
 */

import type { Problem } from '../agent/protocol/problem.ts';
import { planProblem } from './base/problem-codes/plan.ts';
import { bindEnvironments } from './policy/branches.ts';
import type { Environment, EnvironmentDeclaration } from './policy/environment.ts';
import { loadSettings } from './policy/settings.ts';
import type { PolicySource, SourceBranch } from './source/policy-source.ts';

export const settingsFile = 'towline.toml';

export interface Discovery {
  readonly environments: readonly Environment[];
  /** Why some are missing, or why the file could not be read. */
  readonly problems: readonly Problem[];
  /** False when the last good declarations had to serve. */
  readonly fresh: boolean;
}

export interface DiscoveryOptions {
  readonly source: PolicySource;
  /** The branch whose towline.toml counts; left out: main, else master, else the only one. */
  readonly trustedBranch: string | undefined;
  /** Files as they are on disk: every declared environment is looked at as it stands there. */
  readonly worktree: boolean;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export class Environments {
  readonly #options: DiscoveryOptions;
  #declarations: readonly EnvironmentDeclaration[] = [];
  #settingsId: string | undefined;

  constructor(options: DiscoveryOptions) {
    this.#options = options;
  }

  /** Looks at the trusted branch and the branches. */
  async discover(): Promise<Discovery> {
    const branches = await this.#options.source.branches();
    if (!branches.ok) return { environments: [], problems: [branches.problem], fresh: false };
    const problems = await this.#readSettings(branches.value);
    const fresh = problems.length === 0;
    if (this.#options.worktree) return { environments: this.#declarations, problems, fresh };
    const bound = bindEnvironments(
      this.#declarations,
      branches.value.map(({ name }) => name),
    );
    const now = this.#options.now();
    const environments = bound.environments.filter((each) => !isExpired(each, branches.value, now));
    return { environments, problems: [...problems, ...bound.problems], fresh };
  }

  /** The branch whose declarations count. */
  #trusted(branches: readonly SourceBranch[]): string {
    const names = branches.map(({ name }) => name);
    const usual = ['main', 'master'].find((name) => names.includes(name));
    return this.#options.trustedBranch ?? usual ?? names[0] ?? 'main';
  }

  async #readSettings(branches: readonly SourceBranch[]): Promise<readonly Problem[]> {
    const trusted = this.#trusted(branches);
    const snapshot = await this.#options.source.snapshot(trusted);
    if (!snapshot.ok) return [snapshot.problem];
    const entry = snapshot.value.entries.get(settingsFile);
    if (entry === undefined) {
      const where = this.#options.worktree ? 'in this directory' : `on branch ${trusted}`;
      const message = `there is no ${settingsFile} ${where}`;
      return [planProblem('plan.no-environment', message, { where: { file: settingsFile } })];
    }
    if (entry.id === this.#settingsId) return [];
    const text = (await snapshot.value.read(settingsFile)).toString('utf8');
    const loaded = loadSettings(settingsFile, text);
    if (!loaded.ok) return loaded.problems;
    this.#settingsId = entry.id;
    this.#declarations = loaded.value.environments;
    return [];
  }
}

/** A pattern's environment ends a while after the last commit of its branch. */
function isExpired(environment: Environment, branches: readonly SourceBranch[], now: number): boolean {
  const { expiresSeconds } = environment;
  const committedAt = branches.find(({ name }) => name === environment.branch)?.committedAt;
  if (expiresSeconds === undefined || committedAt === undefined) return false;
  return now - Date.parse(committedAt) > expiresSeconds * 1000;
}
