/**
 * An environment as towline.toml declares it: which branch drives which hosts with which roles.
 * Invariant: read from the trusted branch or the operator's file only; a branch cannot widen its own rights.
 * Frozen data.
 */

import type { Place } from '../../agent/protocol/problem.ts';

export const driftModes = ['off', 'report', 'correct'] as const;
export type DriftMode = (typeof driftModes)[number];

export interface DriftSettings {
  readonly mode: DriftMode;
  /** Cron expression, five fields. */
  readonly schedule: string;
  /** IANA zone; UTC unless set. */
  readonly timezone: string;
  /** Seconds over which the hosts are spread. */
  readonly spreadSeconds: number;
}

export interface EnvironmentDeclaration {
  readonly name: string;
  /** A branch, or a pattern with `*`: each matching branch is its own environment, `name` + `/` + what the star matched. */
  readonly branch: string;
  /** Path in the policy repository. */
  readonly inventory: string;
  /** In the order given; `after` of the roles refines it. */
  readonly roles: readonly string[];
  readonly drift: DriftSettings;
  /** Seconds between polls; 0 never polls. */
  readonly pollSeconds: number;
  /** A pattern's environments end this many seconds after the last commit of their branch. */
  readonly expiresSeconds?: number | undefined;
  /** Most hosts worked on at once. */
  readonly parallel: number;
  readonly place: Place;
}

/** A declaration bound to an actual branch. */
export interface Environment extends EnvironmentDeclaration {
  readonly branch: string;
}
