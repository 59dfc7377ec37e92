/**
 * Starts an agent on a host, shipping a runtime first where the host has none that works.
 * Invariant: at most one shipment an attempt; a runtime named for the host is never replaced by another.
 * Never ships without a permit; see shipping.ts.
 */

import type { Result } from '../../../agent/protocol/problem.ts';
import type { ConnectionSpec } from '../../../inventory/connection-spec.ts';
import { type BootstrapOptions, type StartedAgent, startAgent } from '../bootstrap.ts';
import type { Runner } from '../line.ts';
import type { RuntimeShipping } from './shipping.ts';

export interface StartOptions extends BootstrapOptions {
  /** Left out: nothing is shipped. */
  readonly shipping?: RuntimeShipping | undefined;
}

const curable: readonly string[] = ['runtime.missing', 'runtime.too-old'];

/** Starts the agent; the problems are those of starting and of shipping. */
export async function startWithRuntime(
  runner: Runner,
  target: Pick<ConnectionSpec, 'host' | 'become' | 'runtime'>,
  options: StartOptions,
): Promise<Result<StartedAgent>> {
  const first = await startAgent(runner, target, options);
  const { shipping, startDeadline, signal } = options;
  if (first.ok || shipping === undefined || target.runtime !== undefined) return first;
  if (!curable.includes(first.problem.code)) return first;
  const { problem } = first;
  const shipped = await shipping.supply(runner, target, { problem, startDeadline, signal });
  if (!shipped.ok) return shipped;
  const { runtime, release } = shipped.value;
  const second = await startAgent(runner, { ...target, runtime }, options);
  release();
  return second;
}
