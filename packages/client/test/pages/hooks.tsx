/** What a page with React does, told as plain data. Each function renders into a new element of its own. */
import { HalyardProvider, useClient, useFeature, useFeatures, useStatus, useValue } from '@halyard/client/react';
import { Component, memo, type ReactNode, StrictMode, Suspense, use, useState } from 'react';
import { flushSync } from 'react-dom';
import { createRoot, hydrateRoot } from 'react-dom/client';
import { renderToString } from 'react-dom/server';
import { answer, MemoryClient } from './memory-client.js';

function place(): HTMLElement {
  return document.body.appendChild(document.createElement('div'));
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(resolve => setTimeout(resolve, 1));
}

const bootstrap = { subject: 'ann', revision: 1, answers: { a: answer('first'), b: answer(1) } };

/** Components that count their renders. */
function counted() {
  const renders = { a: 0, b: 0, value: 0, all: 0, status: 0 };
  const A = memo(() => {
    renders.a += 1;
    return <i>a {String(useFeature('a'))} </i>;
  });
  const B = memo(() => {
    renders.b += 1;
    return <i>b {String(useFeature('b', true))} </i>;
  });
  const Value = memo(() => {
    renders.value += 1;
    return <i>value {useValue('a', 'none')} </i>;
  });
  const All = memo(() => {
    renders.all += 1;
    return <i>all {Object.keys(useFeatures()).join() || 'none'} </i>;
  });
  const State = memo(() => {
    renders.status += 1;
    const { status, source } = useStatus();
    return (
      <i>
        {status} {source}
      </i>
    );
  });
  const tree = (
    <>
      <A />
      <B />
      <Value />
      <All />
      <State />
    </>
  );
  return { renders, tree };
}

async function perKey() {
  const client = new MemoryClient();
  const { renders, tree } = counted();
  const element = place();
  const root = createRoot(element);
  flushSync(() => root.render(<HalyardProvider client={client}>{tree}</HalyardProvider>));
  const told = [{ ...renders, text: element.textContent }];
  for (const change of [{ a: answer('red') }, { b: answer(2, false) }, { a: answer('blue') }, { c: answer(3) }]) {
    flushSync(() => client.update(change));
    await Promise.resolve();
    told.push({ ...renders, text: element.textContent });
  }
  flushSync(() => root.unmount());
  return { told, listeners: client.listeners };
}

/** A page that a server has rendered, whose client has heard of a change, or of one while React is at work. */
async function hydration(when: 'before' | 'during' | 'never') {
  const recovered: string[] = [];
  const element = place();
  const { tree } = counted();
  element.innerHTML = renderToString(<HalyardProvider client={new MemoryClient(bootstrap)}>{tree}</HalyardProvider>);
  const rendered = element.textContent;
  const client = new MemoryClient(bootstrap);
  const change = () => client.update({ a: answer('second', false), b: answer(1, false), c: answer(3) });
  const During = () => {
    useState(() => when === 'during' && change());
    return null;
  };
  if (when === 'before') change();
  const seen = new Set<string | null>();
  new MutationObserver(() => seen.add(element.textContent)).observe(element, {
    subtree: true,
    characterData: true,
    childList: true,
  });
  hydrateRoot(
    element,
    <HalyardProvider client={client}>
      {tree}
      <During />
    </HalyardProvider>,
    { onRecoverableError: error => recovered.push(String(error)) },
  );
  if (when === 'never') await until(() => client.listeners > 0);
  else await until(() => element.textContent?.includes('live live') ?? false);
  return { rendered, text: element.textContent, seen: [...seen], recovered };
}

/** As a page does that has no bootstrap, but answers in its storage. */
async function hydrationWithoutBootstrap() {
  const recovered: string[] = [];
  const element = place();
  const { tree } = counted();
  element.innerHTML = renderToString(<HalyardProvider client={new MemoryClient()}>{tree}</HalyardProvider>);
  const rendered = element.textContent;
  const client = new MemoryClient();
  client.update({ a: answer('stored') });
  hydrateRoot(element, <HalyardProvider client={client}>{tree}</HalyardProvider>, {
    onRecoverableError: error => recovered.push(String(error)),
  });
  await until(() => element.textContent?.includes('stored') ?? false);
  return { rendered, text: element.textContent, recovered };
}

async function strictMode() {
  const client = new MemoryClient();
  const element = place();
  const root = createRoot(element);
  const { tree } = counted();
  flushSync(() =>
    root.render(
      <StrictMode>
        <HalyardProvider client={client}>{tree}</HalyardProvider>
      </StrictMode>,
    ),
  );
  const listeners = client.listeners;
  flushSync(() => client.update({ a: answer('red') }));
  const text = element.textContent;
  flushSync(() => root.unmount());
  return { listeners, text, listenersAfter: client.listeners };
}

async function suspense() {
  const client = new MemoryClient();
  const element = place();
  const shown: (string | null)[] = [];
  const Waiting = () => {
    use(useClient().ready());
    return <b>{useValue('a', 'none')}</b>;
  };
  new MutationObserver(() => shown.push(element.textContent)).observe(element, { subtree: true, childList: true });
  createRoot(element).render(
    <HalyardProvider client={client}>
      <Suspense fallback="waiting">
        <Waiting />
      </Suspense>
    </HalyardProvider>,
  );
  await until(() => element.textContent === 'waiting');
  client.update({ a: answer('red') });
  await until(() => element.textContent === 'red');
  return shown;
}

class Boundary extends Component<{ readonly children: ReactNode }, { readonly error?: Error }> {
  override state: { readonly error?: Error } = {};
  static getDerivedStateFromError = (error: Error) => ({ error });
  override render = () => this.state.error?.message ?? this.props.children;
}

function withoutProvider() {
  const element = place();
  const Alone = () => String(useFeature('a'));
  const root = createRoot(element, { onCaughtError: () => {} });
  flushSync(() =>
    root.render(
      <Boundary>
        <Alone />
      </Boundary>,
    ),
  );
  return element.textContent;
}

async function anotherClient() {
  const [first, second] = [new MemoryClient(), new MemoryClient()];
  first.update({ a: answer('first') });
  second.update({ a: answer('second') });
  const element = place();
  const root = createRoot(element);
  const rendered: string[] = [];
  const Value = () => {
    const value = useValue('a', 'none');
    rendered.push(value);
    return value;
  };
  const show = (client: MemoryClient) =>
    flushSync(() =>
      root.render(
        <HalyardProvider client={client}>
          <Value />
        </HalyardProvider>,
      ),
    );
  show(first);
  show(second);
  flushSync(() => first.update({ a: answer('too late') }));
  flushSync(() => second.update({ a: answer('third') }));
  return { rendered, listeners: [first.listeners, second.listeners] };
}

/** Fallbacks and keys that are made anew in each render. */
function inline() {
  const client = new MemoryClient();
  const element = place();
  const root = createRoot(element);
  let renders = 0;
  let showKey = (_key: string) => {};
  const Value = () => {
    const [key, setKey] = useState('a');
    showKey = setKey;
    renders += 1;
    return JSON.stringify(useValue(key, { size: 0 }));
  };
  flushSync(() =>
    root.render(
      <HalyardProvider client={client}>
        <Value />
      </HalyardProvider>,
    ),
  );
  const texts = [element.textContent];
  for (const step of [
    () => client.update({ b: answer({ size: 2 }) }),
    () => showKey('b'),
    () => client.update({ a: answer({ size: 1 }) }),
    () => client.update({ b: answer({ size: 3 }) }),
  ]) {
    flushSync(step);
    texts.push(element.textContent);
  }
  return { renders, texts, listeners: client.listeners };
}

const scenes = {
  perKey,
  hydration,
  hydrationWithoutBootstrap,
  strictMode,
  suspense,
  withoutProvider,
  anotherClient,
  inline,
};

export type Scenes = typeof scenes;

Object.assign(globalThis, { scenes });
