"""Where sessions are kept. ``base`` is the contract; every other module is one store and knows no other."""
