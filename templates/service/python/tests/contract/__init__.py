"""What the service promises over HTTP, asked of any that serves `project` with the keys of `keys.json`.

`MODELSHIP_TEST_URL` and `MODELSHIP_TEST_KEY` name one that runs already, such as a container; without them it is
started here.
"""
