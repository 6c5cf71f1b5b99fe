/**
 * The type of a server class with a mix-in.
 *
 * @module
 */

import type { MixInOptions, ServerConstructor } from "../server/concurrent.ts";
import type {
  AnyHandlerServer,
  FitsServer,
  OwnOptions,
  RequestHandlerConstructor,
} from "../stages/handler_types.ts";

/**
 * The type of a server class with a mix-in: the static fields of both, and a constructor that takes the options of
 * both. A server class with a constructor of its own keeps the parameters of that constructor.
 *
 * @category Mix-ins
 * @typeParam B The server class.
 * @typeParam M The members that the mix-in adds.
 * @typeParam O The options that the mix-in adds. Each of them is a static field too.
 * @typeParam X The handler classes that the constructor takes besides those of the server class.
 * @typeParam D The server that the handlers of a subclass may need. `any` leaves that to the subclass, which may add
 *   members; in a worker or a child process no handler gets more than {@linkcode HandlerServer}.
 */
export type MixedIn<
  B extends ServerConstructor,
  M,
  O extends object = MixInOptions,
  X extends RequestHandlerConstructor = never,
  // deno-lint-ignore no-explicit-any
  D extends AnyHandlerServer = any,
> =
  & Pick<B, keyof B>
  & Required<O>
  & {
    /**
     * Creates a server, binds its socket and activates it, unless `bindAndActivate` is false. A failure closes the
     * socket.
     *
     * @param serverAddress `[host, port]`, a path for a Unix server, or a socket that is bound already.
     * @param RequestHandlerClass The class that handles requests.
     * @param options Settings that replace the static fields of the same names, and the options of your own that the
     *   handler names.
     */
    new <S extends AnyHandlerServer = D>(
      ...args: MixedInParameters<
        B,
        O,
        X,
        S,
        0 extends 1 & D ? InstanceType<B> & M : D
      >
    ): InstanceType<B> & M;
  };

/**
 * The parameters of a server class with a mix-in: those of the server class, with the options of both.
 *
 * @category Mix-ins
 * @typeParam B The server class.
 * @typeParam O The options that the mix-in adds.
 * @typeParam X The handler classes that the constructor takes besides those of the server class.
 * @typeParam S The server that the handlers need, from their class.
 * @typeParam Seen The server that the handlers get.
 */
export type MixedInParameters<
  B extends ServerConstructor,
  O extends object,
  X extends RequestHandlerConstructor,
  S extends AnyHandlerServer,
  Seen,
> = ConstructorParameters<B> extends
  [infer A, infer H extends RequestHandlerConstructor, (infer P)?] ? [
    serverAddress: A,
    RequestHandlerClass: MixedInHandler<H, X, S, Seen>,
    options?: P & O & OwnOptions<S>,
  ]
  : ConstructorParameters<B>;

/**
 * The handler classes that a server class with a mix-in takes. If the constructor of the server class itself names
 * the server that its handlers need, that holds.
 *
 * @category Mix-ins
 * @typeParam H The handler classes that the server class takes.
 * @typeParam X The handler classes that the constructor takes besides those of the server class.
 * @typeParam S The server that the handlers need, from their class.
 * @typeParam Seen The server that the handlers get.
 */
export type MixedInHandler<
  H extends RequestHandlerConstructor,
  X extends RequestHandlerConstructor,
  S extends AnyHandlerServer,
  Seen,
> = H extends RequestHandlerConstructor<infer R, infer _, infer Needed>
  ? AnyHandlerServer extends Needed
    // deno-lint-ignore no-explicit-any
    ? (RequestHandlerConstructor<R, any, S> | X) & FitsServer<S, Seen>
  : H | X
  : never;
