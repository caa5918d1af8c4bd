import { useFeature } from '@halyard/client/react';

export function App() {
  return <main>{useFeature('new_dashboard') ? 'The new dashboard' : 'The old dashboard'}</main>;
}
