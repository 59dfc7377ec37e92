/**
 * The log of `towline run`: one JSON record for each thing an operator wants to find again.
 * Invariant: messages are constant sentences, everything that varies is a field; records are written before the call returns.
 * Never holds a secret: it sits behind redact.ts; never holds what hosts print.
 */

import { destination, type Level, type Logger, pino } from 'pino';
import type { Problem } from '../../agent/protocol/problem.ts';
import type { EventSink, RunEvent } from '../base/event.ts';
import { escapeJson } from './escape.ts';

export type LogLevel = Level | 'silent';

export interface LogOptions {
  readonly level: LogLevel;
  /** A file to append to; the standard error stream when left out. */
  readonly file?: string | undefined;
}

/** A logger that writes at once. Fails like `open` does when the file cannot be written. */
export function createLog(options: LogOptions): Logger {
  const out = destination({ dest: options.file ?? 2, sync: true, append: true });
  const safe = { write: (line: string) => out.write(escapeJson(line)) };
  return pino({ level: options.level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, safe);
}

/** Writes the noteworthy events of runs to a log. */
export function createLogSink(log: Logger): EventSink {
  return (event) => {
    const record = noteworthy(event);
    if (record === undefined) return;
    const { level, message, fields } = record;
    log[level]({ environment: event.environment, run: event.run, ...fields }, message);
  };
}

interface LogRecord {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

function noteworthy(event: RunEvent): LogRecord | undefined {
  switch (event.type) {
    case 'run-started':
      return { level: 'debug', message: 'run started', fields: { trigger: event.trigger, mode: event.mode } };
    case 'revision':
      return {
        level: 'debug',
        message: 'revision',
        fields: { revision: event.revision.id, subject: event.revision.subject },
      };
    case 'planned':
      return plannedRecord(event);
    case 'problem':
      return { level: 'error', message: 'problem', fields: problemFields(event.problem) };
    case 'host-runtime':
      return runtimeRecord(event);
    case 'host-failed':
      return {
        level: 'warn',
        message: 'host failed',
        fields: { host: event.host, role: event.role, ...problemFields(event.problem) },
      };
    case 'host-finished':
      return finishedRecord(event);
    case 'released':
      return {
        level: 'info',
        message: 'role released',
        fields: { host: event.host, role: event.role, resources: event.resources.length },
      };
    case 'run-finished':
      return runFinishedRecord(event);
    default:
      return undefined;
  }
}

function plannedRecord(event: Extract<RunEvent, { type: 'planned' }>): LogRecord {
  const { affected, current, hosts, milliseconds } = event;
  return {
    level: affected.length === 0 ? 'debug' : 'info',
    message: 'planned',
    fields: { affected: affected.length, current, hosts, milliseconds },
  };
}

function runtimeRecord(event: Extract<RunEvent, { type: 'host-runtime' }>): LogRecord | undefined {
  const { host, stage, version, platform, why, place, keep, size } = event;
  if (stage !== 'begins' && stage !== 'done') return undefined;
  const message = stage === 'begins' ? 'sending a runtime' : 'runtime sent';
  return { level: 'info', message, fields: { host, version, platform, place, keep, size, why } };
}

function finishedRecord(event: Extract<RunEvent, { type: 'host-finished' }>): LogRecord | undefined {
  const { host, role, result, drift } = event;
  const changed = result.reports.filter(({ outcome }) => outcome === 'changed');
  const fields = { host, role, outcomes: result.outcomes, milliseconds: result.milliseconds };
  if (!result.ok) {
    const problem = result.problem ?? result.reports.find((report) => report.problem !== undefined)?.problem;
    return {
      level: 'warn',
      message: 'role failed',
      fields: { ...fields, ...(problem ? problemFields(problem) : {}) },
    };
  }
  if (changed.length === 0) return { level: 'debug', message: 'role unchanged', fields };
  const resources = changed.map(({ resource }) => resource);
  const message = drift ? (event.mode === 'check' ? 'drift found' : 'drift corrected') : 'role changed';
  return { level: drift ? 'warn' : 'info', message, fields: { ...fields, resources } };
}

function runFinishedRecord(event: Extract<RunEvent, { type: 'run-finished' }>): LogRecord {
  const { outcome, hosts, resources, milliseconds, problem } = event.summary;
  const counts = Object.fromEntries(Object.entries(hosts).map(([state, names]) => [state, names.length]));
  const level = outcome === 'nothing-to-do' ? 'debug' : outcome === 'done' ? 'info' : 'error';
  return {
    level,
    message: 'run finished',
    fields: { outcome, hosts: counts, resources, milliseconds, ...(problem ? problemFields(problem) : {}) },
  };
}

function problemFields(problem: Problem): Readonly<Record<string, unknown>> {
  const { code, disposition, message, hint, where, cause } = problem;
  const because = cause === undefined ? {} : { cause: `${cause.code}: ${cause.message}` };
  return { code, disposition, problem: message, hint, where, ...because };
}
