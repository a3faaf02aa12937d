// All pages but the tree, in one file that comes when somebody opens the first of them.
export { ActivityPage } from './activity.jsx';
export { ChannelsPage } from './channels.jsx';
export { ClusterPage } from './cluster.jsx';
export { DocumentsPage } from './documents.jsx';
export { HealthPage } from './health.jsx';
export { HistoryPage } from './history.jsx';
export { PeoplePage } from './people.jsx';
export { QueryPage } from './query.jsx';
export { RulesPage } from './rules.jsx';
export { SpacesPage } from './spaces.jsx';
export { WebhooksPage } from './webhooks.jsx';
