//! The suite that every store passes, for the journal and for the store in memory.

mod journal {
    mesosflow_workflow::store_contract!(|| {
        let folder = tempfile::tempdir().unwrap();
        move || mesosflow_journal::SqliteJournal::open(folder.path().join("journal.sqlite")).unwrap()
    });
}

mod memory {
    mesosflow_workflow::store_contract!(|| {
        let store = mesosflow_workflow::MemoryStore::new();
        move || store.clone()
    });
}
