/**
 * The programs of all kinds of containers in one table, and what their refusals mean.
 * Invariant: complete by type; a refusal is recognised only where the agent did not start.
 * Pure: nothing runs here.
 */

import type { Problem } from '../../../agent/protocol/problem.ts';
import { type ContainerKind, containerKinds } from '../../../inventory/connection-spec.ts';
import { connectionProblem } from '../../base/problem-codes/connection.ts';
import { chroot } from './chroot.ts';
import type { ContainerProgram } from './container-program.ts';
import { docker } from './docker.ts';
import { jail } from './jail.ts';
import { kubectl } from './kubectl.ts';
import { lxc } from './lxc.ts';
import { lxd } from './lxd.ts';
import { machinectl } from './machinectl.ts';
import { podman } from './podman.ts';
import { setns } from './setns.ts';

/** The program of each kind. */
export const containerPrograms: { readonly [K in ContainerKind]: ContainerProgram } = {
  docker,
  podman,
  kubectl,
  lxc,
  lxd,
  machinectl,
  setns,
  jail,
  chroot,
};

/** The kind as one of a container; undefined for ssh and local. */
export function containerKind(kind: string): ContainerKind | undefined {
  return containerKinds.find((known) => known === kind);
}

/** Failures of a start that a program's refusal may stand behind. */
const startFailures = /^(line\.(start-failed|lost)|become\.|runtime\.)/;

/** The problem of a start that failed, said in the words of the container's program where it refused. */
export function explainContainer(kind: ContainerKind, address: string, problem: Problem): Problem {
  if (!startFailures.test(problem.code)) return problem;
  const program = containerPrograms[kind];
  const said = [problem.message, ...(problem.lines ?? [])].join('\n');
  const place = problem.where === undefined ? {} : { where: problem.where };
  const details = { ...place, ...(problem.lines === undefined ? {} : { lines: problem.lines }) };
  const found = program.refusals.find(({ says }) => says.test(said));
  const line = problem.lines?.find((text) => found?.says.test(text)) ?? problem.message;
  if (found !== undefined) {
    const hint = found.hint === undefined ? {} : { hint: found.hint };
    return connectionProblem(found.code, `${kind} ${address}: ${line}`, { ...details, ...hint });
  }
  const missing = missingProgram(said);
  if (missing === undefined) return problem;
  const message = `${kind} ${address}: there is no program ${missing} where it should be entered from`;
  return connectionProblem('container.no-program', message, details);
}

/** The program that a shell, env or the system did not find. */
function missingProgram(said: string): string | undefined {
  const found =
    /(?:^|[\s'‘])(docker|podman|kubectl|lxc-attach|lxc-info|systemd-run|machinectl|nsenter|jexec|chroot)['’]?: (?:command )?(?:not found|No such file)/m.exec(
      said,
    );
  return found?.[1];
}
