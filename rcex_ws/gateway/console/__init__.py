"""The console: a page in the browser, at the address of the gateway: what happens, and a button for each command.

page.py         the page, made from page.html and from the signatures of the commands
routes.py       its paths below /_gateway, with the files console.js and console.css
feed.py         what an open page is told as it happens, as server-sent events
state.py        sessions, subscriptions, faults and nodes, as they are at a moment

`front.py` lets pages of other origins have none of it. What clients have sent reaches the page as data only, and its
script writes it as text.
"""
