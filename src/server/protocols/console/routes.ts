import type { Exchange, Route } from '../../http/route.js';
import { sendError } from '../../http/send.js';
import { type ConsoleFiles, hashedFolder } from './files.js';
import { createSessionRoute, type SessionRouteOptions } from './session.js';

export const consolePath = '/console';

export type ConsoleRoutesOptions = SessionRouteOptions & {
  /** Null: the console has not been built. */
  readonly files: ConsoleFiles | null;
};

/** The web console: its page at every address of its own, the files of the page, and signing in. */
export function createConsoleRoutes(options: ConsoleRoutesOptions): readonly Route[] {
  const { files } = options;

  function sendFile({ request, response, rest }: Exchange): Promise<void> | void {
    if (files === null) {
      response.writeHead(503, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' });
      response.end('The console is not built. Run "npm run build", then start the server again.\n');
      return;
    }
    const isPage = !rest.startsWith(hashedFolder);
    const file = files.assets.get(rest) ?? (isPage ? files.pages[rest.split('/').length - 1] : undefined);
    if (file !== undefined) return file.send(request, response);
    const reason = isPage ? 'No page of the console has this address' : 'The console has no such file: reload the page';
    sendError(response, 404, 'NOT_FOUND', `${reason}.`);
  }

  return [
    createSessionRoute(`${consolePath}/session`, options),
    { path: `${consolePath}/{path}`, method: 'read', caller: 'anybody', handle: sendFile },
    {
      path: consolePath,
      method: 'read',
      caller: 'anybody',
      // Relative: so it stays below a prefix that a proxy has taken away.
      handle: ({ response }) => void response.writeHead(307, { location: `${consolePath.slice(1)}/` }).end(),
    },
  ];
}
