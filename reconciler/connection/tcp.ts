/**
 * Opens a TCP socket with no delay and a deadline, and says in words why one cannot be had.
 * Invariant: a socket that is not returned is destroyed.
 * Never retries.
 */

import { connect, type Socket } from 'node:net';
import { failure, type Problem, type Result, success } from '../../agent/protocol/problem.ts';
import { connectionProblem } from '../base/problem-codes/connection.ts';

export interface TcpTarget {
  readonly host: string;
  readonly address: string;
  readonly port: number;
}

/** Connects within `deadline` milliseconds. */
export function openTcp(target: TcpTarget, deadline: number, signal?: AbortSignal): Promise<Result<Socket>> {
  const { promise, resolve } = Promise.withResolvers<Result<Socket>>();
  const socket = connect({ host: target.address, port: target.port, noDelay: true });
  const give = (problem: Problem): void => {
    finish();
    socket.on('error', () => {});
    socket.destroy();
    resolve(failure(problem));
  };
  const refuse = (error: NodeJS.ErrnoException): void =>
    give(unreachable(target, tcpReason(error, deadline)));
  const cancel = (): void =>
    give(connectionProblem('line.cancelled', 'the attempt was cancelled while connecting'));
  const timer = setTimeout(
    () => give(unreachable(target, `no answer within ${deadline / 1000} s`)),
    deadline,
  );
  const finish = (): void => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', cancel);
    socket.off('error', refuse);
  };
  socket.once('error', refuse);
  socket.once('connect', () => {
    finish();
    gatherWrites(socket);
    resolve(success(socket));
  });
  signal?.addEventListener('abort', cancel);
  if (signal?.aborted) cancel();
  return promise;
}

/** An ssh.unreachable problem for a target. */
export function unreachable(target: TcpTarget, reason: string): Problem {
  return connectionProblem('ssh.unreachable', `${target.address}:${target.port}: ${reason}`, {
    where: { host: target.host },
  });
}

/** Why a connection could not be made, in words. */
export function tcpReason(error: NodeJS.ErrnoException, deadline: number): string {
  switch (error.code) {
    case 'ECONNREFUSED':
      return 'connection refused: the host answers, but nothing listens on this port';
    case 'ETIMEDOUT':
      return `no answer within ${deadline / 1000} s`;
    case 'ENOTFOUND':
      return 'the name is not known to DNS';
    case 'EAI_AGAIN':
      return 'the name could not be looked up now: the resolver does not answer';
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return `no route to it (${error.code})`;
    default:
      return error.message;
  }
}

/**
 * What is written in one turn of the loop leaves in one system call: SSH hands over packet by packet, and with no delay
 * each would go out by itself.
 */
function gatherWrites(socket: Socket): void {
  const write = socket.write.bind(socket) as (...all: unknown[]) => boolean;
  let isGathering = false;
  const flush = (): void => {
    isGathering = false;
    socket.uncork();
  };
  socket.write = (...all: unknown[]): boolean => {
    if (!isGathering) {
      isGathering = true;
      socket.cork();
      process.nextTick(flush);
    }
    return write(...all);
  };
}
