/**
 * The fleet from the command line: `up N`, `list`, `down [ID]`.
 * Invariant: without an id, `down` takes only fleets started here or abandoned by their owner, never another running test's.
 * Never asks; every failure is a line and status 1.
 */

import { upFleet } from './fleet.ts';
import { alive } from './process.ts';
import { dismantle, readStates } from './state.ts';

const usage = 'usage: node test/fleet/main.ts up N [--systemd-stub] [--no-node] | list | down [ID]';

async function up(args: readonly string[]): Promise<string> {
  const count = Number(args[0]);
  if (!Number.isInteger(count) || count < 1) throw new Error(usage);
  const began = performance.now();
  const fleet = await upFleet({
    count,
    keep: true,
    systemdStub: args.includes('--systemd-stub'),
    node: !args.includes('--no-node'),
  });
  const seconds = ((performance.now() - began) / 1000).toFixed(2);
  const ssh = `ssh -i ${fleet.clientKeyFile} -o UserKnownHostsFile=${fleet.knownHostsFile}`;
  return [
    `fleet ${fleet.id}: ${count} hosts in ${seconds} s`,
    ...fleet.hosts.map((host) => `${host.name}  ${ssh} root@${host.address}`),
  ].join('\n');
}

function list(): string {
  const states = readStates();
  if (states.length === 0) return 'no fleet';
  return states.map((state) => `${state.id}  ${state.links.length} hosts  ${state.folder}`).join('\n');
}

async function down(id: string | undefined): Promise<string> {
  const chosen = readStates().filter((state) =>
    id === undefined ? state.owner === undefined || !alive(state.owner) : state.id === id,
  );
  for (const state of chosen) await dismantle(state);
  return chosen.length === 0
    ? 'no fleet to take down'
    : `taken down: ${chosen.map((one) => one.id).join(', ')}`;
}

async function main(args: readonly string[]): Promise<string> {
  if (args[0] === 'up') return up(args.slice(1));
  if (args[0] === 'list') return list();
  if (args[0] === 'down') return down(args[1]);
  throw new Error(usage);
}

try {
  process.stdout.write(`${await main(process.argv.slice(2))}\n`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
