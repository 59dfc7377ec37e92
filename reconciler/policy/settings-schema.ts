/**
 * The form of towline.toml: which keys it has, what each takes, what holds when one is left out.
 * Invariant: what passes is complete; every default is written here and nowhere else.
 * Never reads a file, never looks at branches.
 */

import { validate } from 'node-cron';
import { z } from 'zod';
import { isName } from '../../inventory/names.ts';
import { parseDuration } from './duration.ts';
import { driftModes } from './environment.ts';

const duration = z.string('must be a duration such as "90s", "5m" or "3d"').transform((text, context) => {
  const seconds = parseDuration(text);
  if (seconds !== undefined) return seconds;
  context.addIssue({ code: 'custom', message: 'must be a duration such as "90s", "5m" or "3d"' });
  return z.NEVER;
});

const branch = z
  .string('must be the name of a branch, or a pattern such as "feature/*"')
  .refine(isBranch, 'must be the name of a branch, or a pattern with one *, such as "feature/*"');

const inventory = z
  .string('must be a path in the policy repository')
  .refine(isRelativePath, 'must be a path inside the policy repository, with forward slashes');

const role = z
  .string('must be the name of a role')
  .regex(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$/, 'must be the name of a role: letters, digits and . _ -');

const roles = z
  .array(role, { error: 'must be a list of role names' })
  .min(1, 'is an empty list; leave it out for every role of the policy')
  .refine((names) => new Set(names).size === names.length, 'names a role twice');

const drift = z.strictObject(
  {
    mode: z
      .enum(driftModes, { error: `must be ${driftModes.map((mode) => `"${mode}"`).join(', ')}` })
      .default('report'),
    schedule: z
      .string('must be a cron expression')
      .refine(isCron, 'must be a cron expression of five fields, such as "*/30 * * * *"')
      .default('*/30 * * * *'),
    timezone: z
      .string('must be a time zone')
      .refine(isTimezone, 'must be a time zone such as "UTC" or "Europe/Berlin"')
      .default('UTC'),
    spread: duration.default(0),
  },
  { error: 'must be a table with mode, schedule, timezone and spread' },
);

export const environmentSchema = z
  .strictObject(
    {
      branch,
      inventory,
      roles: roles.default([]),
      drift: drift.prefault({}),
      poll: duration.default(60),
      expires: duration.optional(),
      parallel: z
        .int('must be a whole number from 1 to 1000')
        .min(1, 'must be a whole number from 1 to 1000')
        .max(1000, 'must be a whole number from 1 to 1000')
        .default(20),
    },
    { error: 'must be a table with branch, inventory, roles …' },
  )
  .refine((settings) => settings.expires === undefined || settings.branch.includes('*'), {
    path: ['expires'],
    message: 'is for branch patterns only: a fixed branch does not end by itself',
  })
  .refine((settings) => settings.expires === undefined || settings.expires > 0, {
    path: ['expires'],
    message: 'must be longer than nothing',
  });

export const driftSchema = drift;

export const settingsSchema = z.strictObject({
  environments: z
    .record(z.string(), environmentSchema, { error: 'must be a table of environments' })
    .default({}),
});

/** Names go into state, paths and messages; `/` parts an environment's name from its branch's part. */
export function isEnvironmentName(name: string): boolean {
  return isName(name) && name.length <= 100;
}

/** git's rules for branch names, and at most one `*`. */
function isBranch(text: string): boolean {
  const name = text.replace('*', 'x');
  if (name === '' || name.length > 200 || /[\p{Cc}\s~^:?*[\\]|\.\.|@\{|\/\/|^[/-]|[/.]$/u.test(name))
    return false;
  return name.split('/').every((part) => !part.startsWith('.') && !part.endsWith('.lock'));
}

function isRelativePath(path: string): boolean {
  if (path === '' || /[\p{Cc}\\]/u.test(path) || path.startsWith('/')) return false;
  return path
    .replace(/\/$/, '')
    .split('/')
    .every((part) => part !== '' && part !== '.' && part !== '..');
}

function isCron(expression: string): boolean {
  return expression.trim().split(/\s+/).length === 5 && validate(expression.trim());
}

function isTimezone(zone: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}
