/** What is fetched when somebody opens the chat, in one piece. */
import Actions from './ChatActions.svelte';
import Body from './Chat.svelte';

export const parts = { Actions, Body };
