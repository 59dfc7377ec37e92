/**
 * Ansible as it comes, Ansible with pipelining over a warm ControlMaster, and Ansible with Mitogen, on the hosts of a fleet.
 * Invariant: no facts are gathered; each runs at its best with nothing of this account's settings; a run that fails stops the bench.
 * Never leaves a control master behind.
 */

import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../fleet/run.ts';
import type { Rival } from '../bench.ts';
import type { Peers } from './peers.ts';

export type Flavour = Extract<Rival, 'Ansible' | 'Ansible, pipelining' | 'Mitogen'>;
export const flavours: readonly Flavour[] = ['Ansible', 'Ansible, pipelining', 'Mitogen'];

export interface Target {
  readonly name: string;
  readonly address: string;
  readonly port: number;
}

export interface AnsibleOptions {
  readonly targets: readonly Target[];
  readonly user: string;
  readonly keyFile: string;
  readonly become?: boolean | undefined;
}

export interface AnsibleRun {
  readonly flavour: Flavour;
  /** The tasks, and what else a play has. */
  readonly play: Readonly<Record<string, unknown>>;
  /** The run must say that it changed nothing, or something. */
  readonly changes: boolean;
}

const minutes = 60_000;
const sshArguments = '-C -o ControlMaster=auto -o ControlPersist=120s';

export class Ansible {
  readonly #peers: Peers;
  readonly #options: AnsibleOptions;
  /** Short, since the path of a control socket has little room. */
  readonly #home = mkdtempSync(join(tmpdir(), 'tlb-'));

  constructor(peers: Peers, options: AnsibleOptions) {
    this.#peers = peers;
    this.#options = options;
    const lines = options.targets.map(
      ({ name, address, port }) => `${name} ansible_host=${address} ansible_port=${port}`,
    );
    const trust = '-o UserKnownHostsFile=/dev/null -o LogLevel=ERROR';
    const variables = [
      `ansible_user=${options.user}`,
      `ansible_ssh_private_key_file=${options.keyFile}`,
      `ansible_python_interpreter=/usr/bin/python3`,
      `ansible_ssh_common_args='${trust}'`,
    ];
    writeFileSync(join(this.#home, 'hosts'), [...lines, '[all:vars]', ...variables, ''].join('\n'));
    writeFileSync(join(this.#home, 'ansible.cfg'), '');
    for (const folder of ['t', 'warm', 'files']) mkdirSync(join(this.#home, folder));
  }

  /** Where a play finds its files. */
  get files(): string {
    return join(this.#home, 'files');
  }

  can(flavour: Flavour): boolean {
    const { ansible, mitogenStrategies } = this.#peers;
    return ansible !== undefined && (flavour !== 'Mitogen' || mitogenStrategies !== undefined);
  }

  /** Runs a play; milliseconds of the whole process, undefined where the peer is missing. */
  async run({ flavour, play, changes }: AnsibleRun): Promise<number | undefined> {
    if (!this.can(flavour)) return undefined;
    const playbook = join(this.#home, 'play.yml');
    const { become } = this.#options;
    const whole = { hosts: 'all', gather_facts: false, become: become === true, ...play };
    writeFileSync(playbook, JSON.stringify([whole]));
    const argv = ['-i', join(this.#home, 'hosts'), '-f', String(this.#options.targets.length), playbook];
    const controls = join(this.#home, flavour === 'Ansible, pipelining' ? 'warm' : 'c');
    mkdirSync(controls, { recursive: true });
    const env = this.#environment(flavour, controls);
    const startedAt = performance.now();
    const ran = await run(this.#peers.ansible ?? '', argv, { env, cwd: this.#home, timeoutMs: 5 * minutes });
    const milliseconds = performance.now() - startedAt;
    if (flavour !== 'Ansible, pipelining') await this.#endMasters(controls);
    this.#judge(flavour, changes, ran);
    return milliseconds;
  }

  #judge(flavour: Flavour, changes: boolean, ran: { status: number; stdout: string; stderr: string }): void {
    const recap = [...ran.stdout.matchAll(/: ok=\d+\s+changed=(\d+)\s+unreachable=0\s+failed=0/g)];
    const fits = recap.every(([, changed]) => Number(changed) > 0 === changes);
    if (ran.status === 0 && fits && recap.length === this.#options.targets.length) return;
    throw new Error(`${flavour} ended with ${ran.status}:\n${ran.stdout.slice(-3000)}${ran.stderr}`);
  }

  /** Ends every open connection, and removes what was written here. */
  async close(): Promise<void> {
    for (const folder of ['warm', 'c']) await this.#endMasters(join(this.#home, folder));
    rmSync(this.#home, { recursive: true, force: true });
  }

  #environment(flavour: Flavour, controls: string): NodeJS.ProcessEnv {
    const home = this.#home;
    return {
      PATH: process.env.PATH,
      PYTHONPATH: process.env.PYTHONPATH,
      LANG: 'C.UTF-8',
      HOME: home,
      ANSIBLE_HOME: join(home, 'h'),
      ANSIBLE_LOCAL_TEMP: join(home, 't'),
      ANSIBLE_CONFIG: join(home, 'ansible.cfg'),
      ANSIBLE_NOCOLOR: '1',
      ANSIBLE_HOST_KEY_CHECKING: 'False',
      ANSIBLE_GATHERING: 'explicit',
      ANSIBLE_SSH_ARGS: sshArguments,
      ANSIBLE_SSH_CONTROL_PATH_DIR: controls,
      ...(flavour === 'Ansible, pipelining' && { ANSIBLE_PIPELINING: 'True' }),
      ...(flavour === 'Mitogen' && {
        ANSIBLE_STRATEGY: 'mitogen_linear',
        ANSIBLE_STRATEGY_PLUGINS: this.#peers.mitogenStrategies,
      }),
    };
  }

  async #endMasters(folder: string): Promise<void> {
    for (const socket of sockets(folder))
      await run('ssh', ['-o', `ControlPath=${socket}`, '-O', 'exit', 'any'], { timeoutMs: 10_000 });
  }
}

function sockets(folder: string): string[] {
  try {
    return readdirSync(folder).map((name) => join(folder, name));
  } catch {
    return [];
  }
}
