/**
 * Services with systemd: daemon-reload → unmask → enable or disable → start, stop, restart or reload → mask.
 * Invariant: a start counts only when the unit is seen active; what it said last comes with the failure.
 * Never waits without end for a unit to become active.
 */

import { pause } from '../../pause.ts';
import { type Change, makeChange } from '../../protocol/change.ts';
import { refusal } from '../../protocol/problem-codes.ts';
import type { ServiceShape } from '../../protocol/shapes/service.ts';
import { howEnded, lastLines } from '../../system/program-end.ts';
import type { System } from '../../system/system.ts';
import { mayCome, mayRunCommand, mayWrite } from '../pending.ts';
import type { CheckContext, CheckResult } from '../resource.ts';
import type { ServiceManager } from './manager.ts';
import { isKnown, isRunning, readUnit, type UnitState, unitChanges, wantsNothing } from './unit-state.ts';

/** Milliseconds before each further look at a unit that is not active yet: 10 s in all. */
const looks = [100, 200, 400, 800, 1500, 3000, 4000];
const unitDirectories = /^\/(?:etc|run|lib|usr\/lib|usr\/local\/lib)\/systemd\/|^\/etc\/init\.d\//;

/** Units of systemd. */
export const systemdManager: ServiceManager = {
  async check(system, wanted, context) {
    return compare(await readUnit(system, wanted.unit), wanted, context);
  },

  async apply(system, wanted, changes) {
    for (const args of verbs(wanted, changes)) await systemctl(system, wanted.unit, args);
    const starts = ['running', 'restarted', 'reloaded'].includes(wanted.state ?? '');
    if (starts && changes.some(isAct)) await awaitActive(system, wanted);
  },

  async verify(system, wanted, context) {
    const unit = await readUnit(system, wanted.unit);
    const isActed = wanted.state === 'restarted' || wanted.state === 'reloaded';
    if (!isActed) return compare(unit, wanted, context);
    return compare(unit, { ...wanted, state: hasDone(unit) ? undefined : 'running' }, context);
  },

  async observe(system, wanted) {
    const unit = await readUnit(system, wanted.unit);
    return { active: unit.ActiveState, sub: unit.SubState, enabled: unit.UnitFileState };
  },
};

function compare(unit: UnitState, wanted: ServiceShape, context: CheckContext): CheckResult {
  if (!isKnown(unit)) return compareUnknown(unit, wanted, context);
  const changes = unitChanges(unit, wanted);
  const reloads = wanted.daemonReload && mayWrite(context.pending, (path) => isUnitFile(path, wanted.unit));
  if (!reloads || changes.some((change) => change.property === 'daemon-reload')) return changes;
  return [makeChange('run', 'daemon-reload'), ...changes];
}

function compareUnknown(unit: UnitState, wanted: ServiceShape, { pending }: CheckContext): CheckResult {
  const isComing =
    mayRunCommand(pending) ||
    mayWrite(pending, (path) => unitDirectories.test(path)) ||
    pending.some((each) => each.kind === 'package' && each.wanted.state !== 'absent');
  if (isComing) return mayCome(`the unit ${wanted.unit}`);
  // A unit can be masked before it exists, so that it never starts.
  if (wantsNothing(wanted)) return unitChanges(unit, wanted);
  throw refusal('service.unknown', `systemd has no unit ${wanted.unit}`);
}

/** Whether a path is the unit's own file or one of its drop-ins. */
function isUnitFile(path: string, unit: string): boolean {
  const name = /\.[a-z]+$/.test(unit) ? unit : `${unit}.service`;
  return unitDirectories.test(path) && (path.endsWith(`/${name}`) || path.includes(`/${name}.d/`));
}

/** systemctl's verbs for the changes, in the order they must happen. */
function verbs(wanted: ServiceShape, changes: readonly Change[]): string[] {
  const has = (property: string) => changes.some((change) => change.property === property);
  const acts = { running: 'start', stopped: 'stop', restarted: 'restart', reloaded: 'reload-or-restart' };
  return [
    ...(has('daemon-reload') ? ['daemon-reload'] : []),
    ...(has('masked') && wanted.masked === false ? ['unmask'] : []),
    ...(has('enabled') ? [wanted.enabled ? 'enable' : 'disable'] : []),
    ...(wanted.state !== undefined && changes.some(isAct) ? [acts[wanted.state]] : []),
    ...(has('masked') && wanted.masked ? ['mask'] : []),
  ];
}

function isAct({ property }: Change): boolean {
  return ['state', 'restarted', 'reloaded'].includes(property);
}

async function systemctl(system: System, unit: string, verb: string): Promise<void> {
  const target = verb === 'daemon-reload' ? [] : ['--', unit];
  const result = await system.run(['systemctl', '--no-ask-password', verb, ...target]);
  if (result.status === 0) return;
  const { stderr } = result;
  if (/Unit .* (?:not found|not loaded|does not exist)/.test(stderr)) {
    throw refusal('service.unknown', `systemd has no unit ${unit} to ${verb}`, { lines: lastLines(stderr) });
  }
  throw refusal('service.failed', `systemctl ${verb} ${unit} ${howEnded(result)}`, {
    lines: lastLines(`${stderr}\n${await lastWords(system, unit)}`),
  });
}

/** Looks until the unit is active; a start that systemd called done may still fail a moment later. */
async function awaitActive(system: System, { unit, state }: ServiceShape): Promise<void> {
  let seen: UnitState | undefined;
  for (const milliseconds of state === 'reloaded' ? [0, ...looks] : looks) {
    await pause(milliseconds);
    seen = await readUnit(system, unit);
    if (isRunning(seen) || hasDone(seen)) return;
    if (seen.ActiveState !== 'activating') break;
  }
  throw refusal('service.failed', `${unit} is ${seen?.ActiveState} (${seen?.SubState}) after its start`, {
    lines: lastLines(await lastWords(system, unit)),
  });
}

/** Whether it is a program that runs once and has ended well. */
function hasDone(unit: UnitState): boolean {
  return unit.Type === 'oneshot' && unit.ActiveState === 'inactive';
}

async function lastWords(system: System, unit: string): Promise<string> {
  const status = ['systemctl', 'status', '--no-pager', '--full', '--lines=20', '--', unit];
  return (await system.run(status, { timeout: 10 })).stdout;
}
