def test_store_is_there(store):
    assert store.head() == 0
