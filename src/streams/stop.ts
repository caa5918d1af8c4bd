/// <reference lib="esnext.disposable" preserve="true" />
/** Ends a watch or a pin at once; a second call does nothing. `using` calls it at the end of the block. */
export interface Stop extends Disposable {
  (): void;
}

export function stopping(stop: () => void): Stop {
  let isStopped = false;
  const once = () => {
    if (isStopped) return;
    isStopped = true;
    stop();
  };
  return Object.assign(once, { [Symbol.dispose]: once });
}
