// npm run relay: the rest is loaded only by a Node that can read it.
import './setup/nodeVersion.mjs';
import('./commands/relay.mjs');
