/**
 * What systemd says of one unit, and what is still to change.
 * Invariant: one query a unit; the difference is a pure function of the answer and the wish.
 * Only asks.
 */

import { type Change, flip, makeChange } from '../../protocol/change.ts';
import { refusal } from '../../protocol/problem-codes.ts';
import type { ServiceShape } from '../../protocol/shapes/service.ts';
import { lastLines } from '../../system/program-end.ts';
import { unitProperties } from '../../system/queries.ts';
import type { SystemReader } from '../../system/system.ts';

const properties = [
  'LoadState',
  'ActiveState',
  'SubState',
  'UnitFileState',
  'NeedDaemonReload',
  'Type',
] as const;
const enabledStates = ['enabled', 'enabled-runtime'];
/** Units that have nothing to enable or disable: both wishes are met. */
const neutralStates = ['static', 'indirect', 'alias', 'generated', 'transient'];
const runningStates = ['active', 'reloading', 'refreshing'];

export type UnitState = Readonly<Record<(typeof properties)[number], string>>;

/** Asks systemd for the properties of a unit. */
export async function readUnit(system: SystemReader, unit: string): Promise<UnitState> {
  const { status, stdout, stderr } = await system.query(unitProperties(unit, ...properties));
  if (status !== 0) {
    throw refusal('service.failed', `systemd does not answer for ${unit}`, { lines: lastLines(stderr) });
  }
  return parseUnit(stdout);
}

/** Reads `systemctl show`; a property left out is empty. */
export function parseUnit(text: string): UnitState {
  const answerTo = (name: string): string => new RegExp(`^${name}=(.*)$`, 'm').exec(text)?.[1] ?? '';
  return Object.fromEntries(properties.map((name) => [name, answerTo(name)])) as UnitState;
}

/** Whether systemd has the unit at all (a masked one it has). */
export function isKnown(unit: UnitState): boolean {
  return unit.LoadState !== 'not-found' && unit.LoadState !== '';
}

/** Whether it runs, as far as systemd can see. */
export function isRunning(unit: UnitState): boolean {
  return runningStates.includes(unit.ActiveState);
}

/** Whether a unit that does not exist can be as wanted: it is stopped and disabled, and may be masked. */
export function wantsNothing({ state, enabled }: ServiceShape): boolean {
  return (state ?? 'stopped') === 'stopped' && !enabled;
}

/** The changes from what is to what is wanted, in no particular order. */
export function unitChanges(unit: UnitState, wanted: ServiceShape): readonly Change[] {
  const changes: Change[] = [];
  if (wanted.daemonReload && unit.NeedDaemonReload === 'yes') {
    changes.push(makeChange('run', 'daemon-reload'));
  }
  const isMasked = unit.LoadState === 'masked' || unit.UnitFileState.startsWith('masked');
  if (wanted.masked !== undefined && wanted.masked !== isMasked) {
    changes.push(flip('masked', isMasked));
  }
  const isEnabled = enabledStates.includes(unit.UnitFileState);
  const isMet = wanted.enabled
    ? unit.UnitFileState === 'enabled' || neutralStates.includes(unit.UnitFileState)
    : !isEnabled;
  if (wanted.enabled !== undefined && !isMet) changes.push(flip('enabled', !wanted.enabled));
  const act = stateChange(unit, wanted.state);
  return act ? [...changes, act] : changes;
}

function stateChange(unit: UnitState, state: ServiceShape['state']): Change | undefined {
  switch (state) {
    case 'restarted':
    case 'reloaded':
      return makeChange('run', state);
    case 'running':
      if (isRunning(unit)) return undefined;
      return makeChange('update', 'state', unit.ActiveState, 'active');
    case 'stopped':
      if (['inactive', 'failed'].includes(unit.ActiveState)) return undefined;
      return makeChange('update', 'state', unit.ActiveState, 'inactive');
    case undefined:
      return undefined;
    default:
      return state satisfies never;
  }
}
