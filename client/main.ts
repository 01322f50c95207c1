/** Entry of the page: styles, then the app. */
import './styles/tokens.css';
import './styles/base.css';
import './styles/dialog.css';
import { mount } from 'svelte';
import App from './App.svelte';
import { getLocale, getTextDirection } from './paraglide/runtime.js';

// What is read aloud, hyphenated and set from which side follows the words that are shown.
document.documentElement.lang = getLocale();
document.documentElement.dir = getTextDirection();

const target = document.getElementById('app');
// The frame that the page came with gives way.
target?.replaceChildren();
if (target) mount(App, { target });

/** Long after what the person came for. */
const LATER_MS = 6000;

if (import.meta.env.PROD)
  setTimeout(() => void import('./offline/register.ts').then(({ keepOffline }) => keepOffline()), LATER_MS);
