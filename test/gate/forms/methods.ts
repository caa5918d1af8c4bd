import { requireFeature } from '../../../src/index.js';
import { compileClass, type Decorators } from './compile.js';
import { behave, type Form, outcomeOfError, requestFor, userOf } from './form.js';

type Controller = new () => { show(request: Request): Promise<string> };

const source = `
  class BetaController {
    handler = scenario.handler;

    @gate
    async show(request) {
      return behave(this.handler, () => request.text());
    }
  }
`;

function methodForm(decorators: Decorators): Form {
  const compiled = compileClass(source, decorators);
  return {
    name: `${decorators} method decorator`,
    overHttp: false,
    async run(scenario) {
      const { features, key, answer } = scenario;
      const user = (request: Request) => userOf(request.headers.get('x-user'));
      const device = async (request: Request) => request.headers.get('x-device');
      const gate = requireFeature(key, { features, user, device, ...answer });
      const BetaController = compiled({ gate, behave, scenario }) as Controller;
      return new BetaController()
        .show(requestFor(scenario, 'http://app.test/beta'))
        .then(text => ({ outcome: 'handled', text }), outcomeOfError);
    },
  };
}

export const methodForms: readonly Form[] = [methodForm('standard'), methodForm('legacy')];
